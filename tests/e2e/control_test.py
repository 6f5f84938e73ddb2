"""Changing a policy under traffic, and isolating one host."""
import time

import traffic
from lab import CONFIG, DEFAULT_RULES, Lab

NARROWER = DEFAULT_RULES.replace('from = "vendor"\nto = "his"\nservice = ["echo", "ping"]',
                                 'from = "vendor"\nto = "his"\nservice = "ping"')
WIDER = DEFAULT_RULES + '[[rule]]\nname = "more"\nfrom = "device"\nto = "his"\nservice = { tcp = 7002 }\naction = "accept"\n'
assert NARROWER != DEFAULT_RULES


def _apply(lab, rules, *options):
    lab.rules = rules
    lab.write_config("/run/lab/next.toml")
    return lab.sekisho("config", "apply", *options, "/run/lab/next.toml")


def test_an_applied_policy_also_judges_live_flows():
    with Lab() as lab:
        clinical, maint = lab.wire("clinical"), lab.wire("maint")
        for wire in (clinical, maint):
            lab.keep(traffic.EchoServer(wire.b, 7000))
        vendor = traffic.connect(maint.a, maint.b.ip4, 7000)
        device = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(vendor) and traffic.echo(device)
        _apply(lab, NARROWER)
        assert not traffic.echo(vendor, timeout=1), "a live flow outlived its rule"
        assert traffic.echo(device), "a flow that is still allowed was ended"
        assert traffic.ping(maint.a, maint.b.ip4)


def test_an_unconfirmed_apply_rolls_back_by_itself_and_a_confirmed_one_stays():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7002))
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.7)
        _apply(lab, WIDER, "--confirm-within", "3s")
        lab.wait_passes(clinical.a, clinical.b.ip4, 7002)
        lab.wait(lambda: not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.4), 10, "the roll back")
        _apply(lab, WIDER, "--confirm-within", "3s")
        lab.sekisho("config", "confirm")
        time.sleep(4)
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002), "a confirmed policy was rolled back"
        lab.sekisho("config", "rollback")
        lab.wait(lambda: not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.4), 5, "the roll back by hand")


def test_a_bad_configuration_is_named_by_line_and_changes_nothing():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        lab.rules = DEFAULT_RULES.replace('service = ["echo", "ping"]', 'service = ["ecko", "ping"]', 1)
        lab.write_config("/run/lab/next.toml")
        line = lab.config_text()[:lab.config_text().index("ecko")].count("\n") + 1
        for verb in ("check", "apply"):
            status, out, err = lab.sekisho("config", verb, "/run/lab/next.toml", check=False)
            assert status != 0 and "next.toml:%d:" % line in out + err, (status, out, err)
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000)


def test_a_restart_reads_the_policy_that_was_applied():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7002))
        _apply(lab, WIDER)
        lab.wait_passes(clinical.a, clinical.b.ip4, 7002)
        lab.kill(lab.sekishod)
        lab.kill(lab.dataplane)
        lab.write_config(CONFIG)
        lab.start()
        lab.wait_passes(clinical.a, clinical.b.ip4, 7002)


def test_swapping_snapshots_under_load_loses_nothing():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        sink = lab.keep(traffic.UdpSink(clinical.b, 7001))
        flood = lab.keep(traffic.UdpFlood(clinical.a, clinical.b.ip4, 7001, rate=3000))
        assert sink.wait_for(500)
        first = sink.numbers[-1]
        for number in range(6):
            _apply(lab, WIDER if number % 2 == 0 else DEFAULT_RULES)
        assert sink.wait_for(500)
        flood.close()
        time.sleep(0.5)
        got = [n for n in sink.numbers if n >= first]
        assert got == list(range(first, flood.sent)), "%d of %d came" % (len(got), flood.sent - first)


def test_quarantine_stops_one_host_and_only_it():
    with Lab() as lab:
        clinical, maint = lab.wire("clinical"), lab.wire("maint")
        for wire in (clinical, maint):
            lab.keep(traffic.EchoServer(wire.b, 7000))
        device = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(device)
        lab.sekisho("quarantine", clinical.a.ip4, "--reason", "e2e")
        capture = lab.keep(traffic.Capture(clinical.b))
        assert not traffic.echo(device, timeout=0.7), "the host's connection went on"
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.7)
        assert not [f for f in capture.incoming() if f.ethertype == 0x0800], "a quarantined host's packet crossed"
        assert traffic.tcp_passes(clinical.a, clinical.b.ip6, 7000), "IPv4 quarantine does not name the IPv6 address"
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000), "another host was stopped"
        lab.sekisho("release", clinical.a.ip4)
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000)


def test_quarantine_by_mac_ends_by_itself():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        lab.sekisho("quarantine", clinical.a.mac, "--for", "3s", "--reason", "e2e")
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.6)
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip6, 7000, 0.6), "a MAC speaks both families"
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000, timeout=8)


def test_quarantine_survives_the_death_of_both():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        lab.sekisho("quarantine", clinical.a.ip4, "--reason", "e2e")
        capture = lab.keep(traffic.Capture(clinical.b))
        lab.kill(lab.sekishod)
        lab.kill(lab.dataplane)
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.7)
        lab.start()
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.7)
        assert not [f for f in capture.incoming() if f.ethertype == 0x0800]
        lab.sekisho("release", clinical.a.ip4)
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000)


def test_the_audit_holds_every_command_and_detects_a_change():
    with Lab() as lab:
        lab.json("cut", "vendor", "--reason", "for the record")
        lab.json("reopen", "vendor", "--reason", "for the record")
        lab.sekisho("audit", "verify")
        import glob
        files = [p for p in glob.glob("/var/lib/sekisho/audit/*.jsonl")]
        assert files
        with open(files[0], "r+b") as log:
            data = log.read()
            assert data.count(b"for the record") >= 2, data
            log.seek(data.index(b"for the record"))
            log.write(b"FOR THE RECORD")
        assert lab.sekisho("audit", "verify", check=False)[0] != 0


def test_why_and_flows_and_drops_tell_the_truth():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        tcp = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(tcp)
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.6)
        allowed = lab.sekisho("why", clinical.a.ip4, clinical.b.ip4, "tcp", "7000")[1]
        assert "devices to his" in allowed and ".toml:" in allowed, allowed
        denied = lab.sekisho("why", clinical.a.ip4, clinical.b.ip4, "tcp", "7002")[1]
        assert "drop" in denied.lower() and "devices to his" not in denied, denied
        flows = lab.sekisho("flows")[1]
        assert clinical.a.ip4 in flows and "7000" in flows, flows
        assert "policy_default" in lab.sekisho("drops")[1]
        tcp.close()


def test_a_vendor_access_opens_for_a_time_and_closes_by_itself():
    rules = DEFAULT_RULES.replace('[[rule]]\nname = "vendor to his"\n',
                                  '[[vendor_access]]\nname = "repair"\n[[rule]]\nname = "vendor to his"\naccess = "repair"\n')
    assert rules != DEFAULT_RULES
    with Lab(rules=rules) as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
        assert lab.sekisho("access", "open", "nobody", "--for", "5s", check=False)[0] == 1
        lab.sekisho("access", "open", "repair", "--for", "3s", "--reason", "e2e")
        session = traffic.connect(maint.a, maint.b.ip4, 7000)
        assert traffic.echo(session)
        time.sleep(3.2)
        assert not traffic.echo(session, timeout=1), "a session outlived its access"
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
        lab.sekisho("access", "open", "repair", "--for", "60s")
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        lab.sekisho("access", "close", "repair")
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
