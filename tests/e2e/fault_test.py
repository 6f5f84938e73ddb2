"""Damage: latches, disks, garbage on sockets, cables."""
import contextlib
import os
import socket
import struct
import time

import traffic
from lab import Lab
from netns import run

LATCH = "/var/lib/sekisho/latch"


def _latch_copies():
    paths = [os.path.join(folder, n) for folder, _, names in os.walk(LATCH) for n in names]
    return sorted(p for p in paths if os.path.getsize(p) > 0)  # the empty one is a lock


def _damage(path):
    with open(path, "r+b") as latch:
        data = bytearray(latch.read())
        assert data
        for at in range(0, len(data), 97):
            data[at] ^= 0x5a
        latch.seek(0)
        latch.write(data)


def test_one_damaged_latch_copy_changes_nothing():
    with Lab() as lab:
        clinical, maint = lab.wire("clinical"), lab.wire("maint")
        lab.json("cut", "vendor", "--reason", "latch")
        copies = _latch_copies()
        assert len(copies) >= 2, copies
        for copy in copies[:2]:
            lab.forget_all_but_the_disk()
            _damage(copy)
            lab.start()
            assert not traffic.ping(maint.a, maint.b.ip4, timeout=0.4), copy
            assert traffic.ping(clinical.a, clinical.b.ip4), "a copy was good: nothing else may be cut"


def test_two_damaged_latch_copies_read_as_cut():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        assert traffic.ping(clinical.a, clinical.b.ip4)
        lab.json("cut", "vendor", "--reason", "latch")
        lab.forget_all_but_the_disk()
        for copy in _latch_copies():
            _damage(copy)
        lab.start()
        assert not traffic.ping(clinical.a, clinical.b.ip4, timeout=0.5), "nobody knows what was cut: all is"
        lab.json("reopen", "all", "--reason", "the CSIRT has looked")
        lab.wait(lambda: traffic.ping(clinical.a, clinical.b.ip4, timeout=0.3), 5, "the reopened link")


def test_a_full_disk_does_not_stop_a_cut_and_the_receipt_says_so():
    with Lab(start=False) as lab:
        os.makedirs("/var/lib/sekisho", exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/var/lib/sekisho")
        lab.start()
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        with open("/var/lib/sekisho/filler", "wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"\0" * 4096)
        status, out, err = lab.sekisho("cut", "vendor", "--reason", "disk full", "--json", check=False)
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7), "a full disk stopped the cut"
        assert '"audit_error"' in out or "audit" in err, (status, out, err)


def test_garbage_on_the_dataplane_socket_changes_nothing():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        sink = lab.keep(traffic.UdpSink(clinical.b, 7001))
        lab.keep(traffic.UdpFlood(clinical.a, clinical.b.ip4, 7001))
        assert sink.wait_for(100)
        lab.kill(lab.sekishod)
        time.sleep(0.3)
        paths = [os.path.join("/run/sekisho", n) for n in os.listdir("/run/sekisho") if n.endswith(".sock")]
        tried = 0
        for path in paths:
            for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
                for junk in (b"", b"\0", b"\xff" * 60000, os.urandom(4096),
                             struct.pack("=IHHII", 0x534B4553, 1, 2, 1, 0xffffffff),
                             struct.pack("=IHHII", 0x534B4553, 1, 2, 1, 0), struct.pack("=IHHII", 0x534B4553, 9, 1, 1, 0)):
                    one = socket.socket(socket.AF_UNIX, kind)
                    one.settimeout(1)
                    try:
                        one.connect(path)
                        one.send(junk)
                        tried += 1
                        one.recv(65536)
                    except OSError:
                        pass
                    finally:
                        one.close()
        assert tried > 5, paths
        assert lab.dataplane.poll() is None, "the dataplane died of it"
        assert sink.wait_for(100), "traffic stopped"
        lab.start_sekishod()
        lab.wait_ready()


def test_a_second_dataplane_on_the_same_ports_is_refused():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        sink = lab.keep(traffic.UdpSink(clinical.b, 7001))
        lab.keep(traffic.UdpFlood(clinical.a, clinical.b.ip4, 7001))
        assert sink.wait_for(100)
        second = lab._spawn("sekisho-dataplane")
        assert second.wait(15) != 0, "a second dataplane ran"
        assert sink.wait_for(200) and lab.dataplane.poll() is None


def test_a_port_that_goes_down_and_comes_back():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        tcp = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(tcp)
        clinical.b.command("ip", "link", "set", "eth0", "down")
        time.sleep(0.5)
        clinical.b.command("ip", "link", "set", "eth0", "up")
        assert traffic.echo(tcp, timeout=8), "the connection did not outlive the cable"


def test_malformed_frames_are_dropped_by_name_and_traffic_goes_on():
    with Lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000)
        sender = lab.keep(traffic.RawSender(clinical.a))
        good = traffic.udp_frame(clinical.a, clinical.b, 4000, 7001, b"body")
        capture = lab.keep(traffic.Capture(clinical.b))
        head = good[:12]
        frames = [good[:20], good[:30], head + b"\x81\x00\x00\x0a", head + b"\x81\x00\x00\x0a" * 5 + good[12:],
                  good[:14] + b"\x65" + good[15:], good[:14] + b"\x41" + good[15:],
                  good[:16] + b"\xff\xff" + good[18:], good[:24] + b"\0\0" + good[26:],
                  head + b"\x86\xdd" + b"\x60" + b"\0" * 3 + b"\xff\xff" + b"\0\x40" * 20, head + b"\x88\xb5" + b"x" * 50]
        for frame in frames:
            sender.send(frame)
        for length in range(15, len(good)):
            sender.send(good[:length])
        time.sleep(0.5)
        crossed = [f.data.hex() for f in capture.incoming() if f.data[:6] == good[:6] and f.ethertype != 0x0806]
        assert not crossed, crossed
        assert lab.dataplane.poll() is None
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000)
        drops = lab.sekisho("drops")[1]
        # Bad tags end in the guard where it runs, else in the dataplane's parser.
        vlan = ("malformed",) if "(guard)" in drops else ("vlan_depth", "vlan_truncated")
        for reason in ("ipv4_total_length", "ipv4_checksum", "ethertype_denied") + vlan:
            assert reason in drops, "%s is not in %s" % (reason, drops)
