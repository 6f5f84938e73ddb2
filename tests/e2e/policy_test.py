"""What policy lets through and what it stops, with real stacks on both sides."""
import socket
import struct
import time

import traffic
from lab import DEFAULT_RULES, Lab, Wire


def test_policy_passes_what_it_allows_and_nothing_else():
    with Lab() as lab:
        device, his = lab.wire("clinical").a, lab.wire("clinical").b
        for port in (7000, 7002):
            lab.keep(traffic.EchoServer(his, port))
            lab.keep(traffic.EchoServer(device, port))
        assert traffic.tcp_passes(device, his.ip4, 7000)
        assert traffic.udp_passes(device, his.ip4, 7000)
        assert not traffic.tcp_passes(device, his.ip4, 7002), "no rule allows 7002"
        assert not traffic.tcp_passes(his, device.ip4, 7000), "no rule allows his to device"
        assert not traffic.udp_passes(his, device.ip4, 7000)


def test_reject_answers_at_once():
    with Lab() as lab:
        vendor, his = lab.wire("maint").a, lab.wire("maint").b
        try:
            traffic.connect(vendor, his.ip4, 7023, timeout=5)
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("a reject rule let the connection through")


def test_ping_and_large_ping_pass_the_wire():
    with Lab() as lab:
        device, his = lab.wire("clinical").a, lab.wire("clinical").b
        assert traffic.ping(device, his.ip4) and traffic.ping(device, his.ip6)
        assert traffic.ping(device, his.ip4, size=9000), "fragments in both directions"
        assert not traffic.ping(his, device.ip4), "the other direction is not allowed"


def test_ipv6_passes_by_the_same_rules():
    with Lab() as lab:
        device, his = lab.wire("clinical").a, lab.wire("clinical").b
        lab.keep(traffic.EchoServer(his, 7000))
        lab.keep(traffic.EchoServer(his, 7002))
        assert traffic.tcp_passes(device, his.ip6, 7000)
        assert traffic.udp_passes(device, his.ip6, 7000)
        assert traffic.udp_passes(device, his.ip6, 7000, b"6" * 20000), "IPv6 fragments"
        assert not traffic.tcp_passes(device, his.ip6, 7002)


def test_a_datagram_of_more_than_eight_fragments_arrives_in_pieces_no_larger():
    with Lab() as lab:
        device, his = lab.wire("clinical").a, lab.wire("clinical").b
        lab.keep(traffic.EchoServer(his, 7000))
        assert traffic.udp_passes(device, his.ip4, 7000, b"warm")
        capture = lab.keep(traffic.Capture(his))
        payload = bytes(i * 7 & 0xff for i in range(20000))
        assert traffic.udp_passes(device, his.ip4, 7000, payload)

        def pieces():
            return [f for f in capture.incoming() if f.ethertype == 0x0800 and len(f.data) > 200]
        lab.wait(lambda: len(pieces()) >= 14, 5, "the pieces in the capture")
        assert max(len(f.data) for f in pieces()) <= 1514


def test_overlapping_fragments_do_not_pass_and_are_named():
    with Lab() as lab:
        device, his = lab.wire("clinical").a, lab.wire("clinical").b
        capture = lab.keep(traffic.Capture(his))
        whole = traffic.udp_frame(device, his, 4000, 7001, b"OVERLAPPING-FRAGMENT" * 20)
        head, data = whole[:34], whole[34:]

        def piece(offset, length, more):
            ip = bytearray(head[14:34])
            struct.pack_into("!H", ip, 2, 20 + length)
            struct.pack_into("!H", ip, 4, 77)
            struct.pack_into("!H", ip, 6, (0x2000 if more else 0) | offset // 8)
            struct.pack_into("!H", ip, 10, 0)
            struct.pack_into("!H", ip, 10, traffic._checksum(bytes(ip)))
            return head[:14] + bytes(ip) + data[offset:offset + length]
        sender = lab.keep(traffic.RawSender(device))
        for one in (piece(0, 200, True), piece(160, 120, True), piece(200, len(data) - 200, False)):
            sender.send(one)
        time.sleep(0.5)
        assert not capture.containing(b"OVERLAPPING-FRAGMENT")
        # the same datagram without the overlap is judged and passes
        for one in (piece(0, 200, True), piece(200, len(data) - 200, False)):
            sender.send(one[:18] + b"\0\x4e" + one[20:24] + _fix(one) + one[26:])
        lab.wait(lambda: capture.containing(b"OVERLAPPING-FRAGMENT"), 3, "the clean datagram")
        assert "fragment_overlap" in lab.sekisho("drops")[1]


def _fix(frame):
    """The IPv4 checksum of `frame` with its identification set to 78."""
    ip = bytearray(frame[14:34])
    struct.pack_into("!H", ip, 4, 78)
    struct.pack_into("!H", ip, 10, 0)
    return struct.pack("!H", traffic._checksum(bytes(ip)))


def test_a_vlan_wire_carries_its_vlan_and_no_other():
    wire = Wire(1, "tagged", "device", "his", vlan=10)
    links = '[[link]]\nname = "device-his"\nzones = ["device", "his"]\n'
    rules = DEFAULT_RULES.split("[[rule]]\nname = \"vendor")[0]
    with Lab([wire], links, rules) as lab:
        device, his = wire.a, wire.b
        capture = lab.keep(traffic.Capture(his))
        sender = lab.keep(traffic.RawSender(device))
        for number in range(3):
            sender.send(traffic.udp_frame(device, his, 4000, 7001, b"on ten %d" % number, vlans=[10]))
            sender.send(traffic.udp_frame(device, his, 4000, 7001, b"on eleven", vlans=[11]))
            sender.send(traffic.udp_frame(device, his, 4000, 7001, b"untagged"))
            sender.send(traffic.udp_frame(device, his, 4000, 7001, b"double", vlans=[10, 10]))
        lab.wait(lambda: capture.containing(b"on ten 2"), 3, "the VLAN's own frames")
        time.sleep(0.3)
        assert [f.vlan for f in capture.containing(b"on ten")] == [10, 10, 10]
        for other in (b"on eleven", b"untagged", b"double"):
            assert not capture.containing(other), other
        assert "interface_unknown" in lab.sekisho("drops")[1]


def test_path_mtu_errors_keep_working():
    with Lab() as lab:
        device, his = lab.wire("clinical").a, lab.wire("clinical").b
        lab.keep(traffic.EchoServer(his, 7000))
        behind = lab.keep(traffic.Capture(his))
        tcp = traffic.connect(device, his.ip4, 7000)
        assert traffic.echo(tcp)
        # A router behind the gateway says that 1000 bytes are the most: quoted is a packet that the flow really sent
        # (an error about a sequence number that was never in flight is refused, RFC 5927).
        source_port = tcp.getsockname()[1]
        def segments():
            return [f.data for f in behind.incoming() if f.ethertype == 0x0800 and f.data[23] == 6]
        lab.wait(segments, 3, "the capture to show the connection")
        quoted = segments()[-1][14:14 + 28]
        icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 1000) + quoted
        icmp = icmp[:2] + struct.pack("!H", traffic._checksum(icmp)) + icmp[4:]
        capture = lab.keep(traffic.Capture(device))
        sender = lab.keep(traffic.RawSender(his))

        def error(payload):
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 10, 0, 64, 1, 0,
                             socket.inet_aton(his.ip4), socket.inet_aton(device.ip4))
            ip = ip[:10] + struct.pack("!H", traffic._checksum(ip)) + ip[12:]
            return traffic.mac_bytes(device.mac) + traffic.mac_bytes(his.mac) + b"\x08\x00" + ip + payload
        sender.send(error(icmp))
        lab.wait(lambda: [f for f in capture.incoming() if f.ethertype == 0x0800 and f.data[23] == 1], 3,
                 "the ICMP error to reach the device")
        # and one about a connection that nobody has is dropped
        stranger = bytearray(icmp)
        struct.pack_into("!H", stranger, 8 + 20, source_port ^ 1)
        struct.pack_into("!H", stranger, 2, 0)
        struct.pack_into("!H", stranger, 2, traffic._checksum(bytes(stranger)))
        before = len(capture.incoming())
        sender.send(error(bytes(stranger)))
        time.sleep(0.4)
        assert not [f for f in capture.incoming()[before:] if f.ethertype == 0x0800 and f.data[23] == 1]
        tcp.close()
