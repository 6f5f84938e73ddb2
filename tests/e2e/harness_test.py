"""The laboratory itself: what the other tests take for granted about namespaces, traffic and captures."""
import subprocess

import traffic
from netns import Host, run


def _joined():
    """Two hosts joined by a plain kernel bridge in place of the gateway."""
    a = Host("plain-a", "02:00:0a:09:00:01", "10.9.0.1", "fd00:9::1", "g9a")
    b = Host("plain-b", "02:00:0a:09:00:02", "10.9.0.2", "fd00:9::2", "g9b")
    run("ip", "link", "add", "br0", "type", "bridge")
    for one in (a, b):
        run("ip", "link", "set", one.gateway_interface, "master", "br0")
    run("ip", "link", "set", "br0", "up")
    return a, b


def test_traffic_tools_see_an_open_path_and_a_closed_one():
    a, b = _joined()
    traffic.EchoServer(b, 7000)
    assert traffic.tcp_passes(a, b.ip4, 7000) and traffic.tcp_passes(a, b.ip6, 7000)
    assert traffic.udp_passes(a, b.ip4, 7000) and traffic.udp_passes(a, b.ip4, 7000, b"x" * 14000)
    assert traffic.ping(a, b.ip4) and traffic.ping(a, b.ip6)
    assert not traffic.tcp_passes(a, b.ip4, 7002)
    capture = traffic.Capture(b)
    sender = traffic.RawSender(a)
    sender.send(traffic.udp_frame(a, b, 1, 2, b"tagged frame", vlans=[10]))
    run("ip", "link", "set", "g9b", "nomaster")
    sender.send(traffic.udp_frame(a, b, 1, 2, b"never seen"))
    assert not traffic.ping(a, b.ip4, timeout=0.3) and not traffic.tcp_passes(a, b.ip4, 7000, 0.5)
    capture.close()
    tagged = capture.containing(b"tagged frame")
    assert len(tagged) == 1 and tagged[0].vlan == 10, tagged
    assert not capture.containing(b"never seen")


def test_floods_are_counted():
    a, b = _joined()
    sink = traffic.UdpSink(b, 7001)
    flood = traffic.UdpFlood(a, b.ip4, 7001, rate=2000)
    assert sink.wait_for(1000)
    flood.close()
    assert sink.wait_for(0)
    subprocess.run(["sleep", "0.2"], check=True)
    assert sink.numbers == list(range(flood.sent)), (len(sink.numbers), flood.sent)
