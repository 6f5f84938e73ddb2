"""The XDP guard: what the kernel does with a wire whose dataplane is gone."""
import time

import traffic
from lab import DEFAULT_RULES, Lab, Wire
from netns import run

OPEN_LINKS = """
[[link]]
name = "device-his"
zones = ["device", "his"]
fail = "open"
[[link]]
name = "ward-his"
zones = ["ward", "his"]
"""
RULES = DEFAULT_RULES.replace('"vendor"', '"ward"')


def _wires():
    return [Wire(1, "clinical", "device", "his"), Wire(2, "ward", "ward", "his")]


def _takes_redirects(*hosts):
    """A veth takes a frame that XDP redirects to it only while its peer has NAPI: GRO switches that on."""
    for host in hosts:
        with host:
            run("ethtool", "-K", "eth0", "gro", "on")


def _dead_after(lab, sink):
    lab.kill(lab.dataplane)
    time.sleep(1.2)  # the guard gives a silent dataplane half a second
    return sink


def test_fail_open_passes_without_a_dataplane_and_only_where_declared():
    with Lab(_wires(), OPEN_LINKS, RULES) as lab:
        clinical, ward = lab.wires
        _takes_redirects(clinical.a, clinical.b, ward.a, ward.b)
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        tcp = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(tcp)
        assert traffic.ping(ward.a, ward.b.ip4)
        _dead_after(lab, None)
        closed = lab.keep(traffic.Capture(ward.b))
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000, what="the fail_open wire to pass")
        assert traffic.echo(tcp), "the session did not survive"
        assert not traffic.ping(ward.a, ward.b.ip4, timeout=0.5)
        assert not closed.incoming(), "fail_closed let frames through"
        lab.start_dataplane()
        lab.wait_ready()
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000)
        lab.wait(lambda: traffic.ping(ward.a, ward.b.ip4, timeout=0.3), 5, "the closed wire to come back")


def test_a_cut_and_a_quarantine_hold_on_a_fail_open_wire_without_a_dataplane():
    with Lab(_wires(), OPEN_LINKS, RULES) as lab:
        clinical = lab.wires[0]
        _takes_redirects(clinical.a, clinical.b)
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000)
        lab.json("cut", "device-his", "--reason", "guard")
        _dead_after(lab, None)
        capture = lab.keep(traffic.Capture(clinical.b))
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.7)
        assert not capture.incoming(), "the guard passed a cut link"
        lab.sekisho("reopen", "device-his", "--reason", "guard", check=False)
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000, what="the guard to see the reopening")
        lab.sekisho("quarantine", clinical.a.ip4, "--reason", "guard", check=False)
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.7), "the guard passed a quarantined host"
        assert traffic.tcp_passes(clinical.a, clinical.b.ip6, 7000)
        lab.sekisho("cut", "device-his", "--direct", "--reason", "guard")
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip6, 7000, 0.7), "a direct cut did not reach the guard"


def test_config_check_refuses_fail_open_where_it_cannot_be_or_must_not_be():
    links = OPEN_LINKS.replace('"device"', '"vendor"')
    wires = [Wire(1, "clinical", "vendor", "his"), Wire(2, "ward", "ward", "his")]
    with Lab(wires, links, RULES.replace('"device"', '"vendor"'), start=False) as lab:
        status, out, err = lab.sekisho("config", "check", "/run/lab/sekisho.toml", check=False)
        assert status != 0 and "fail" in out + err and "sekisho.toml:" in out + err, (status, out, err)
    # the same wire between ordinary zones, on a port that the kernel does not own
    text = lab.config_text().replace('"vendor"', '"device"').replace('\nkind = "device"', "")
    text = text.replace("net_af_xdp,iface=g1a", "0000:01:00.0")
    with open("/run/lab/vfio.toml", "w", encoding="utf-8") as out:
        out.write(text)
    status, out, err = lab.sekisho("config", "check", "/run/lab/vfio.toml", check=False)
    assert status != 0 and "fail" in out + err, (status, out, err)
