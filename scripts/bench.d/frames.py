"""Captures to replay: UDP flows of one frame each, with right checksums, both directions."""
import socket
import struct


def _sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(source, destination, source_port, destination_port, length, reply):
    """A frame of `length` bytes, without its FCS."""
    payload = bytes(length - 42)
    head = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0)
    pseudo = source + destination + struct.pack("!BBH", 0, 17, 8 + len(payload))
    check = _sum(pseudo + head) or 0xffff  # the payload is zeros
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length - 14, 1, 0, 64, 17, 0, source, destination)
    ip = ip[:10] + struct.pack("!H", _sum(ip)) + ip[12:]
    macs = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
    if reply:
        macs = macs[6:] + macs[:6]
    return macs + b"\x08\0" + ip + head[:6] + struct.pack("!H", check) + payload


def write_pair(there, back, size, flows=10000):
    """Two captures of `flows` frames of `size` bytes on the wire (FCS included): the flows and their replies."""
    for path, reply in ((there, False), (back, True)):
        with open(path, "wb") as out:
            out.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for i in range(flows):
                a = socket.inet_aton("10.1.%d.%d" % (i % 200 // 100, 1 + i % 100))
                b = socket.inet_aton("10.2.0.%d" % (1 + i // 200))
                ends = (a, b, 1024 + i, 5000)
                if reply:
                    ends = (b, a, 5000, 1024 + i)
                frame = udp(*ends, size - 4, reply)
                out.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
