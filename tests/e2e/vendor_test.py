"""Vendor access by ticket: the vendor's steps of the acceptance scenario, and what survives a killed sekishod."""
import glob
import json
import os
import shutil
import struct
import subprocess
import time

import traffic
from lab import BUILD, Lab
from pcapng import frames_of
from web import HttpServer, curl, of_socket

VENDOR = """
[[vendor]]
name = "acme"
company = "Acme Medical"
from = "vendor"
to = "his"
source = "10.2.0.1"
target = "10.2.0.2"
services = ["rdp", "ssh"]
longest = "2h"
[vendor.suspend]
volume = "1MiB"
"""
RULES = """
[services]
echo = { tcp = 7000 }
rdp = { tcp = 3389 }
ssh = { tcp = 22 }
[[rule]]
name = "devices to his"
from = "device"
to = "his"
service = "echo"
action = "accept"
[[rule]]
name = "all else"
from = "vendor"
to = "his"
action = "drop"
log = true
"""


def lab():
    return Lab(rules=RULES, extra=VENDOR)


def second_person(*arguments, check=True):
    """The command line as another user of this machine, who may open root's sockets."""
    done = subprocess.run(["setpriv", "--reuid=1", "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
                           os.path.join(BUILD, "sekisho"), *arguments, "--json"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    print("$ (second person) sekisho %s -> %d\n%s%s" % (" ".join(arguments), done.returncode, done.stdout, done.stderr))
    if check:
        assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else None


def request(one, *more, length="60m"):
    return one.json("ticket", "request", "acme", "--plan", "replace a disk", "--for", length, *more)["ticket"]["id"]


def opened(one, *more, length="60m"):
    ticket = request(one, *more, length=length)
    second_person("ticket", "approve", ticket)
    one.sekisho("ticket", "open", ticket)
    return ticket


def ticket_of(one, ticket):
    return one.json("ticket", "show", ticket)["ticket"]


def state(one, ticket):
    return ticket_of(one, ticket)["state"]


def eve(kind=None):
    lines = []
    with open("/var/log/sekisho/eve.json", encoding="utf-8") as log:
        for line in log:
            if line.endswith("\n"):
                event = json.loads(line)
                if kind is None or event["event_type"] == kind:
                    lines.append(event)
    return lines


def try_ports(source, address, ports):
    """One SYN to each; nobody need answer."""
    import socket
    with source:
        tries = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in ports]
    for one, port in zip(tries, ports):
        one.setblocking(False)
        one.connect_ex((address, port))
    time.sleep(0.3)
    for one in tries:
        one.close()


def scan(source, address):
    nmap = shutil.which("nmap")
    if nmap is None:
        return try_ports(source, address, range(8000, 8040))
    with source:
        subprocess.run([nmap, "-n", "-Pn", "-sT", "-T4", "--max-retries", "0", "--host-timeout", "4s", "-p", "8000-8100",
                        address], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=30, check=False)


def test_without_a_ticket_it_is_dropped_and_logged_and_with_one_it_is_a_named_session():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        one.keep(traffic.EchoServer(maint.b, 22))
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7)
        one.wait(lambda: any(e["dest_port"] == 3389 and e["drop"]["reason"] in ("access_closed", "policy_rule")
                             for e in eve("drop")), 10, "the drop in the log")
        assert one.sekisho("access", "open", "acme.rdp", "--for", "60s", check=False)[0] == 1, "without a ticket"

        ticket = request(one, "--service", "rdp")
        assert one.sekisho("ticket", "approve", ticket, check=False)[0] == 1, "one's own request"
        assert one.sekisho("ticket", "open", ticket, check=False)[0] == 1, "not approved yet"
        second_person("ticket", "approve", ticket)
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7), "approved is not open"
        one.sekisho("ticket", "open", ticket)
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        assert traffic.echo(session)
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 22, 0.7), "a service that the ticket does not name"
        assert ticket in one.sekisho("ticket", "list", "--state", "open")[1]
        assert "開放中" in one.sekisho("--ja", "ticket", "list")[1]

        one.sekisho("ticket", "close", ticket, "--reason", "done")
        assert not traffic.echo(session, timeout=1), "the session outlived its ticket"
        one.wait(lambda: any(e.get("ticket") == ticket and e["dest_port"] == 3389 for e in eve("flow")), 10,
                 "the flow with its ticket")
        one.wait(lambda: state(one, ticket) == "report_due", 20, "the report")
        report = one.json("ticket", "report", ticket)["report"]
        assert report["bytes_to_vendor"] > 0 and report["flow_count"] >= 1, report
        assert any(r["service"] == "tcp 22" for r in report["drops"]["rows"]), report["drops"]
        second_person("ticket", "sign", ticket, "--text", "as planned")
        assert state(one, ticket) == "signed"
        assert one.sekisho("audit", "verify", check=False)[0] == 0
test_without_a_ticket_it_is_dropped_and_logged_and_with_one_it_is_a_named_session.seconds = 120


def test_a_scan_suspends_within_five_seconds_and_a_recovery_ticket_is_only_noticed():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket = opened(one)
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        assert traffic.echo(session)
        scan(maint.a, maint.b.ip4)
        one.wait(lambda: any(e["sekisho"].get("detector") == "vendor.scan" and e.get("ticket") == ticket
                             for e in eve("alert")), 5, "the alert")
        one.wait(lambda: state(one, ticket) == "suspended", 5, "the suspension")
        assert not traffic.echo(session, timeout=1)
        proposals = one.json("proposal", "list")["proposals"]
        assert [(p["action"], p["target"]) for p in proposals] == [("cut", "vendor")], proposals
        assert not any(link["cut"] for link in one.json("status")["links"]), "automation has cut a link"
        one.sekisho("ticket", "close", ticket)

        recovery = opened(one, "--recovery")
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        time.sleep(6)  # the same finding is not said twice in a breath
        scan(maint.a, maint.b.ip4)
        one.wait(lambda: any(s["act"] == "notice.scan" for s in ticket_of(one, recovery)["history"]), 10, "the notice")
        assert state(one, recovery) == "open"
        assert traffic.echo(session), "a recovery ticket was stopped"
test_a_scan_suspends_within_five_seconds_and_a_recovery_ticket_is_only_noticed.seconds = 150


def test_brute_force_suspends_by_the_fifth_attempt():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket = opened(one)
        made = 0
        for _ in range(30):
            if not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7):
                break
            made += 1
            time.sleep(0.3)
        assert 4 <= made <= 6, "%d attempts passed" % made
        one.wait(lambda: state(one, ticket) == "suspended", 5, "the suspension")
        assert any(s["act"] == "suspend.brute_force" for s in ticket_of(one, ticket)["history"])


def test_the_target_turning_on_others_is_proposed_for_quarantine():
    with lab() as one:
        maint = one.wire("maint")
        for last in (50, 51):
            maint.b.command("ip", "neigh", "add", "10.2.0.%d" % last, "lladdr", maint.a.mac, "dev", "eth0")
        for port in (3389, 445, 135, 5985):
            try_ports(maint.b, "10.2.0.50", [port])
        one.wait(lambda: one.json("proposal", "list")["proposals"], 5, "the proposal")
        proposal = one.json("proposal", "list")["proposals"][0]
        assert (proposal["action"], proposal["target"]) == ("quarantine", "10.2.0.2"), proposal
        assert not one.json("status").get("quarantine"), "automation has isolated the target of a ticket"
        receipt = one.json("proposal", "act", proposal["id"])["receipt"]
        assert receipt["outcome"] == "CONFIRMED", receipt
        assert one.sekisho("proposal", "act", proposal["id"], check=False)[0] == 1, "once"


def test_a_large_upload_to_the_vendor_suspends_and_a_cut_is_proposed():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket = opened(one)
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        passed = 0
        for _ in range(400):
            if not traffic.echo(session, b"x" * 16384, timeout=1):
                break
            passed += 16384
            time.sleep(0.02)
        assert passed >= 1 << 20, "stopped after %d bytes" % passed
        one.wait(lambda: state(one, ticket) == "suspended", 5, "the suspension")
        assert any(s["act"] == "suspend.volume" for s in ticket_of(one, ticket)["history"])
        assert any(p["action"] == "cut" for p in one.json("proposal", "list")["proposals"])
        assert any(e["sekisho"].get("detector") == "vendor.volume" for e in eve("alert"))


def test_expiry_ends_the_flows_also_when_sekishod_is_dead():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket = opened(one, length="8s")
        began = time.monotonic()
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        one.kill(one.sekishod)
        assert traffic.echo(session), "the session ended with sekishod"
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 3389), "an open access closed with sekishod"
        time.sleep(max(0, 8.5 - (time.monotonic() - began)))
        assert not traffic.echo(session, timeout=1), "the session outlived its ticket"
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7)
        one.start_sekishod()
        one.wait_ready()
        one.wait(lambda: state(one, ticket) == "report_due", 20, "the report")
        assert ticket_of(one, ticket)["ended_by"] == "expired"
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7)


def test_an_open_ticket_outlives_a_killed_sekishod():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket = opened(one)
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        for _ in range(2):
            one.kill(one.sekishod)
            one.start_sekishod()
            one.wait_ready()
            assert state(one, ticket) == "open"
            assert traffic.echo(session)
        one.sekisho("ticket", "close", ticket)
        assert not traffic.echo(session, timeout=1)


def test_a_cut_voids_and_a_reopening_does_not_revive():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket, waiting = opened(one), request(one)
        second_person("ticket", "approve", waiting)
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        one.sekisho("cut", "vendor", "--reason", "e2e")
        one.sekisho("reopen", "vendor", "--reason", "e2e")  # at once: no tick in between
        assert state(one, ticket) == "void" and state(one, waiting) == "void"
        one.wait(lambda: [c["kind"] for c in one.json("ticket", "report", ticket)["report"]["captures"]["rows"]] == ["cut"],
                 10, "the cut's capture in the report")
        assert not traffic.echo(session, timeout=1)
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7), "a reopening revived a ticket"
        assert one.sekisho("ticket", "open", waiting, check=False)[0] == 1
        glass = one.json("ticket", "break-glass", "acme", "--plan", "the HIS is down", "--for", "60m")["ticket"]
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 3389)
        assert "ticket.break_glass" in one.sekisho("audit", "show")[1]
        second_person("ticket", "approve", glass["id"])
        assert ticket_of(one, glass["id"])["approved_by"]["name"] != "root"


def test_a_new_configuration_keeps_or_ends_an_open_ticket():
    with lab() as one:
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket = opened(one)
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 3389)
        one.rules = '[[vendor_access]]\nname = "by-hand"\n' + RULES
        one.write_config("/run/lab/next.toml")
        one.sekisho("config", "apply", "/run/lab/next.toml")
        assert state(one, ticket) == "open"
        one.wait_passes(maint.a, maint.b.ip4, 3389)
        with open("/run/lab/next.toml", encoding="utf-8") as text:
            moved = text.read().replace('target = "10.2.0.2"', 'target = "10.2.0.9"')
        with open("/run/lab/next.toml", "w", encoding="utf-8") as out:
            out.write(moved)
        one.sekisho("config", "apply", "/run/lab/next.toml")
        assert state(one, ticket) in ("closed", "report_due")
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7)


def sent_by(frames, host, port_at):
    """The TCP payload of one direction: of frames from `host`, whose server's port stands there."""
    pieces = {}
    for frame, length, _ in frames:
        assert len(frame) == length, "whole frames, in this test"
        ports = struct.unpack_from(">HH", frame, 34)
        if frame[26:30] == bytes(map(int, host.ip4.split("."))) and frame[23] == 6 and ports[port_at] == 3389:
            data = frame[34 + (frame[46] >> 4) * 4:14 + struct.unpack_from(">H", frame, 16)[0]]
            if data:
                pieces[struct.unpack_from(">I", frame, 38)[0]] = data
    return b"".join(pieces[at] for at in sorted(pieces))


def test_a_recorded_session_is_exported_whole_and_holds_nobody_elses_packets():
    extra = VENDOR.replace('longest = "2h"', 'longest = "2h"\nrecord = true') + "[recorder]\nmemory_mb = 4\n"
    with Lab(rules=RULES, extra=extra) as one:
        maint, clinical = one.wire("maint"), one.wire("clinical")
        one.keep(traffic.EchoServer(maint.b, 3389))
        one.keep(traffic.EchoServer(clinical.b, 7000))
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.4), "before the ticket: not in its recording"
        ticket = opened(one)
        assert ticket_of(one, ticket)["record"] is True, "the vendor says so, whatever the request does"
        session, other = traffic.connect(maint.a, maint.b.ip4, 3389), traffic.connect(clinical.a, clinical.b.ip4, 7000)
        said = b""
        for n in range(12):
            word = b"SECRET-%02d." % n
            assert traffic.echo(session, word) and traffic.echo(other, b"SOMEBODY ELSE")
            said += word
            if n == 6:
                time.sleep(1.2)
                one.kill(one.sekishod)
            if n == 8:
                one.start_sekishod()
                one.wait_ready()
        capture = one.json("capture", "now", "--host", maint.b.ip4, "--reason", "is that planned?")
        elsewhere = one.json("capture", "now", "--host", clinical.b.ip4)
        one.sekisho("ticket", "suspend", ticket, "--reason", "a look")
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.6), "its drops are recorded"
        one.sekisho("ticket", "close", ticket)
        one.wait(lambda: state(one, ticket) == "report_due", 20, "the report")
        report = one.json("ticket", "report", ticket)["report"]
        recording = report["recording"]
        assert recording["finished"] and recording["parts"] >= 1 and not recording["full"], recording
        assert recording["overwritten"] == recording["restarts"] == recording["left_out"] == 0, recording
        captures = report["captures"]["rows"]
        assert [(c["id"], c["kind"], c["why"]) for c in captures] == [(capture["id"], "command", "is that planned?")]
        assert captures[0]["packets"] == capture["packets"] > 0 and elsewhere["packets"] > 0
        text = one.sekisho("ticket", "report", ticket)[1]
        assert capture["id"] in text and "recording: %d packets" % recording["packets"] in text, text
        assert "全通信の記録" in one.sekisho("--ja", "ticket", "report", ticket)[1]

        raw = "/var/lib/sekisho/captures/sessions/%s" % ticket
        for name in os.listdir(raw):
            with open(os.path.join(raw, name), "rb") as file:
                assert b"SECRET" not in file.read(), "a recording lies there in clear"
        path = "/run/lab/session.pcapng"
        assert one.sekisho("capture", "export", "--out", path, check=False)[0] != 0, "neither a capture nor a ticket"
        assert one.sekisho("capture", "export", "--ticket", "T-20200101-01", "--out", path, check=False)[0] == 1
        assert not os.path.exists(path)
        one.sekisho("capture", "export", "--ticket", ticket, "--out", path, "--reason", "who was it")
        with open(path, "rb") as file:
            frames = frames_of(file.read())
        assert len(frames) == recording["packets"]
        ends = {bytes(map(int, host.ip4.split("."))) for host in (maint.a, maint.b)}
        assert all({f[26:30], f[30:34]} == ends for f, _, _ in frames), "another host's packets"
        assert sent_by(frames, maint.a, 1) == said == sent_by(frames, maint.b, 0)
        assert any("dropped: " in comment for _, _, comment in frames), "of the suspended ticket"
        first = struct.unpack_from(">HH", frames[0][0], 34), frames[0][0][47] & 2
        assert first[1] == 2 and first[0][1] == 3389, "it begins with the session's SYN: %r" % (first,)
        with open("/var/lib/sekisho/audit/audit.jsonl", encoding="utf-8") as log:
            records = [json.loads(line) for line in log]
        exports = [r for r in records if r["action"] == "capture.open"]
        assert [(r["details"]["ticket"], r["details"]["reason"]) for r in exports] == [(ticket, "who was it")], exports
        assert exports[0]["name"] and any(r["action"] == "capture.session" for r in records)
        one.sekisho("audit", "verify")

        parts = sorted(name for name in os.listdir(raw) if name.endswith(".skcap"))
        with open(os.path.join(raw, parts[-1]), "r+b") as file:
            file.seek(200)
            byte = file.read(1)
            file.seek(200)
            file.write(bytes([byte[0] ^ 1]))
        code, _, error = one.sekisho("capture", "export", "--ticket", ticket, "--out", "/run/lab/no", check=False)
        assert code == 1 and parts[-1].split(".")[0] in error and not os.path.exists("/run/lab/no"), error
test_a_recorded_session_is_exported_whole_and_holds_nobody_elses_packets.seconds = 120


def test_the_capture_of_an_alert_in_the_session_is_in_its_report():
    signatures = "/run/lab/site.rules"
    with open(signatures, "w", encoding="utf-8") as out:
        out.write('drop http any any -> any any (msg:"e2e evil path"; flow:to_server,established; http.uri; '
                  'content:"/evil"; sid:8000001; rev:3; priority:1;)\n')
    links = """
[[link]]
name = "device-his"
zones = ["device", "his"]
[[link]]
name = "vendor"
zones = ["vendor", "his"]
ips = "prevent"
"""
    extra = (VENDOR.replace('services = ["rdp", "ssh"]', 'services = ["web"]') +
             '[ips]\nfiles = ["%s"]\nnew_signatures_detect_for = 0\napp_memory = "64MiB"\nstream_memory = "64MiB"\n'
             "[recorder]\nmemory_mb = 4\n" % signatures)
    with Lab(links=links, rules=RULES.replace("[services]", "[services]\nweb = { tcp = 80 }"), extra=extra) as one:
        maint = one.wire("maint")
        server = one.keep(HttpServer(maint.b))
        ticket = opened(one)
        assert curl(maint.a, "http://%s/manual" % maint.b.ip4) == 0
        assert curl(maint.a, "http://%s/evil" % maint.b.ip4) != 0
        assert server.saw("/manual") and not server.saw("/evil")
        one.wait(lambda: one.json("capture", "list")["captures"], 20, "the alert's capture")
        capture = one.json("capture", "list")["captures"][0]
        assert (capture["kind"], capture["sid"]) == ("alert", 8000001), capture
        one.wait(lambda: state(one, ticket) == "suspended", 5, "the suspension")
        one.sekisho("ticket", "close", ticket)
        one.wait(lambda: state(one, ticket) == "report_due", 20, "the report")
        report = one.json("ticket", "report", ticket)["report"]
        shown = report["captures"]["rows"]
        assert [(c["id"], c["kind"], c["packets"]) for c in shown] == [(capture["id"], "alert", capture["packets"])], shown
        assert "e2e evil path" in shown[0]["why"] and "e2e evil path" in one.sekisho("ticket", "report", ticket)[1]


class WrongClock:
    """The wall clock that sekishod alone sees, moved while it runs; CLOCK_MONOTONIC is the machine's."""

    def __init__(self):
        self._path = "/run/lab/clock"
        self.move(0)

    def move(self, seconds):
        with open(self._path + ".new", "w", encoding="utf-8") as out:
            out.write("%+d\n" % seconds)
        os.replace(self._path + ".new", self._path)

    def environment(self):
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not library:
            from __main__ import Skipped  # the runner's own
            raise Skipped("not installed: faketime")
        return dict(os.environ, LD_PRELOAD=library[0], FAKETIME_TIMESTAMP_FILE=self._path, FAKETIME_CACHE_DURATION="1",
                    FAKETIME_DONT_FAKE_MONOTONIC="1", FAKETIME_DISABLE_SHM="1")


def test_a_ticket_ends_at_its_moment_whatever_the_wall_clock_says():
    clock = WrongClock()
    environment = clock.environment()
    with Lab(rules=RULES, extra=VENDOR, start=False) as one:
        one.sekishod_environment = environment
        one.start()
        maint = one.wire("maint")
        one.keep(traffic.EchoServer(maint.b, 3389))
        ticket = opened(one, length="25s")
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        began = time.monotonic()
        told = {}
        for day in (+1, -1):
            before = json.loads(of_socket("/v1/clock"))["jumps"]
            clock.move(day * 86400)
            one.wait(lambda n=before: json.loads(of_socket("/v1/clock"))["jumps"] > n, 8, "the jump to be seen")
            told[day] = json.loads(of_socket("/v1/clock"))["last_jump_ms"]
            status, out, _ = one.sekisho("health", "--json", check=False)
            assert status == 1 and "clock_jump" in [r["name"] for r in json.loads(out)["reasons"]], "a wrong clock alarms"
            assert state(one, ticket) == "open", "the clock's jump ended the ticket"
            assert traffic.echo(session, b"still at work")
        assert 0.9 < told[+1] / 86400e3 < 1.1 and -2.1 < told[-1] / 86400e3 < -1.9, told
        left = 25 - (time.monotonic() - began)
        assert left > 3, "too slow to show it"
        one.wait(lambda: state(one, ticket) != "open", left + 4, "the end of the ticket")
        lasted = time.monotonic() - began
        assert lasted > 23, "it ended after %.1f s" % lasted
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.6), "an ended ticket lets in"
        with open("/var/lib/sekisho/audit/audit.jsonl", encoding="utf-8") as log:
            assert sum(json.loads(line)["action"] == "clock.jump" for line in log) >= 2
        one.sekisho("audit", "verify")


test_a_ticket_ends_at_its_moment_whatever_the_wall_clock_says.seconds = 90
