"""Clients, servers, floods and captures. Each object runs threads of its own and is closed by the lab."""
import select
import socket
import struct
import threading
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
TCP_SYN, TCP_RST, TCP_ACK = 0x02, 0x04, 0x10


class EchoServer:
    """TCP and UDP echo on one port of a host, IPv4 and IPv6."""

    def __init__(self, host, port):
        self._stop = threading.Event()
        self._open = []
        with host:
            self._tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            self._udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        for one in (self._tcp, self._udp):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("::", port))
        self._tcp.listen(128)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        poller = select.poll()
        sockets = {self._tcp.fileno(): self._tcp, self._udp.fileno(): self._udp}
        for fd in sockets:
            poller.register(fd, select.POLLIN)
        while not self._stop.is_set():
            for fd, _ in poller.poll(100):
                one = sockets[fd]
                if one is self._tcp:
                    peer, _ = one.accept()
                    sockets[peer.fileno()] = peer
                    poller.register(peer.fileno(), select.POLLIN)
                elif one is self._udp:
                    data, address = one.recvfrom(65536)
                    try:
                        one.sendto(data, address)
                    except OSError:
                        pass
                else:
                    try:
                        data = one.recv(65536)
                        if data:
                            one.sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        poller.unregister(fd)
                        del sockets[fd]
                        one.close()
        for one in sockets.values():
            one.close()

    def close(self):
        self._stop.set()
        self._thread.join(5)


def connect(source, address, port, timeout=2.0):
    """An open TCP connection from `source`, or an OSError (TimeoutError: dropped; ConnectionRefusedError)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with source:
        tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.settimeout(timeout)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        tcp.connect((address, port))
    except OSError:
        tcp.close()
        raise
    return tcp


def echo(tcp, payload=b"ping", timeout=2.0):
    """True if the connection still echoes."""
    tcp.settimeout(timeout)
    try:
        tcp.sendall(payload)
        got = b""
        while len(got) < len(payload):
            piece = tcp.recv(65536)
            if not piece:
                return False
            got += piece
        return got == payload
    except OSError:
        return False


def tcp_passes(source, address, port, timeout=1.5):
    """Whether a new connection is made and echoes."""
    try:
        tcp = connect(source, address, port, timeout)
    except OSError:
        return False
    try:
        return echo(tcp, timeout=timeout)
    finally:
        tcp.close()


def udp_passes(source, address, port, payload=b"datagram", timeout=1.0, tries=1):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with source:
        udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.settimeout(timeout)
    try:
        for _ in range(tries):
            udp.sendto(payload, (address, port))
            try:
                if udp.recv(65536) == payload:
                    return True
            except socket.timeout:
                continue
            except ConnectionRefusedError:
                continue
        return False
    finally:
        udp.close()


def _checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping(source, address, size=56, timeout=1.0):
    """An ICMP or ICMPv6 echo; True when its answer comes."""
    v6 = ":" in address
    with source:
        icmp = (socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) if v6 else
                socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
    identity = (threading.get_ident() ^ time.monotonic_ns()) & 0xffff
    payload = bytes(i & 0xff for i in range(size))
    header = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, identity, 1)
    if not v6:
        header = struct.pack("!BBHHH", 8, 0, _checksum(header + payload), identity, 1)
    icmp.settimeout(timeout)
    try:
        icmp.sendto(header + payload, (address, 0))
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            data = icmp.recv(65536)
            if not v6:
                data = data[(data[0] & 15) * 4:]
            kind, _, _, answer, _ = struct.unpack("!BBHHH", data[:8])
            if kind == (129 if v6 else 0) and answer == identity and data[8:] == payload:
                return True
        return False
    except OSError:
        return False
    finally:
        icmp.close()


class Frame:
    __slots__ = ("at", "data", "outgoing", "vlan")

    def __init__(self, at, data, outgoing, vlan):
        self.at, self.data, self.outgoing, self.vlan = at, data, outgoing, vlan

    @property
    def ethertype(self):
        return struct.unpack("!H", self.data[12:14])[0]

    @property
    def tcp_flags(self):
        """TCP flags of an IPv4 frame without options, or 0."""
        if self.ethertype != 0x0800 or len(self.data) < 48 or self.data[23] != 6:
            return 0
        return self.data[14 + (self.data[14] & 15) * 4 + 13]


class Capture:
    """Every frame that reaches (and leaves) a host's eth0, with the time at which it was seen."""

    def __init__(self, host, incoming_only=True):
        self.frames = []
        self._incoming_only = incoming_only
        self._stop = threading.Event()
        with host:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.bind(("eth0", ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the VLAN tag that the kernel takes off
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop.is_set():
            try:
                data, ancillary, _, address = self._socket.recvmsg(65536, 128)
            except socket.timeout:
                continue
            except OSError:
                return
            outgoing = address[2] == PACKET_OUTGOING
            if outgoing and self._incoming_only:
                continue
            vlan = None
            for level, kind, aux in ancillary:
                if level == 263 and kind == 8:
                    status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", aux[:20])
                    if status & 0x10:
                        vlan = tci & 0xfff
            self.frames.append(Frame(time.monotonic(), data, outgoing, vlan))

    def incoming(self, since=0.0):
        return [f for f in list(self.frames) if not f.outgoing and f.at >= since]

    def containing(self, payload, since=0.0):
        return [f for f in self.incoming(since) if payload in f.data]

    def close(self):
        self._stop.set()
        self._thread.join(2)
        self._socket.close()


class RawSender:
    """Sends whole Ethernet frames from a host's eth0."""

    def __init__(self, host):
        with host:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.bind(("eth0", 0))

    def send(self, frame):
        self._socket.send(frame)

    def close(self):
        self._socket.close()


class UdpFlood:
    """Numbered datagrams at a steady rate from one port. The sink counts which arrived."""
    HEAD = struct.Struct("!4sQQ")

    def __init__(self, source, address, port, rate=2000, mark=b"FLUD", size=64, source_port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with source:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind(("", source_port))
        self._to = (address, port)
        self._gap = 1.0 / rate
        self._mark, self._pad = mark, b"\0" * max(0, size - self.HEAD.size)
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self):
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                self._socket.sendto(self.HEAD.pack(self._mark, self.sent, time.monotonic_ns()) + self._pad, self._to)
            except OSError:  # no neighbour while a link is cut: it goes on trying
                time.sleep(0.001)
            self.sent += 1
            due += self._gap
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            elif pause < -0.5:
                due = time.monotonic()

    def close(self):
        self._stop.set()
        self._thread.join(2)
        self._socket.close()


class UdpSink:
    """Receives a flood and remembers the numbers that came, in order of arrival."""

    def __init__(self, host, port, mark=b"FLUD"):
        with host:
            self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.bind(("::", port))
        self._socket.settimeout(0.1)
        self._mark = mark
        self.numbers = []
        self.last_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop.is_set():
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            mark, number, _ = UdpFlood.HEAD.unpack(data[:UdpFlood.HEAD.size])
            if mark == self._mark:
                self.numbers.append(number)
                self.last_at = time.monotonic()

    def wait_for(self, count, timeout=5.0):
        """Waits until `count` more datagrams have come."""
        target = len(self.numbers) + count
        end = time.monotonic() + timeout
        while len(self.numbers) < target and time.monotonic() < end:
            time.sleep(0.01)
        return len(self.numbers) >= target

    def close(self):
        self._stop.set()
        self._thread.join(2)
        self._socket.close()


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


def udp_frame(source, destination, source_port, destination_port, payload, vlans=()):
    """An Ethernet frame with 802.1Q tags (outermost first), IPv4 and UDP, between two hosts."""
    udp = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    pseudo = (socket.inet_aton(source.ip4) + socket.inet_aton(destination.ip4) +
              struct.pack("!BBH", 0, 17, len(udp)))
    check = _checksum(pseudo + udp) or 0xffff
    udp = udp[:6] + struct.pack("!H", check) + udp[8:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source.ip4),
                     socket.inet_aton(destination.ip4))
    ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    return mac_bytes(destination.mac) + mac_bytes(source.mac) + tags + struct.pack("!H", 0x0800) + ip + udp
