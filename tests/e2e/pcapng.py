"""Reads what the flight recorder exports."""
import struct


def frames_of(pcapng):
    """(frame, length on the wire, comment) of each packet block."""
    found, at = [], 0
    while at < len(pcapng):
        kind, size = struct.unpack_from("<II", pcapng, at)
        assert size % 4 == 0 and struct.unpack_from("<I", pcapng, at + size - 4)[0] == size
        if kind == 6:
            captured, length = struct.unpack_from("<II", pcapng, at + 20)
            options, comment = at + 28 + (captured + 3) // 4 * 4, ""
            while options < at + size - 4:
                code, bytes_ = struct.unpack_from("<HH", pcapng, options)
                if code == 0:
                    break
                if code == 1:
                    comment = pcapng[options + 4:options + 4 + bytes_].decode()
                options += 4 + (bytes_ + 3) // 4 * 4
            found.append((pcapng[at + 28:at + 28 + captured], length, comment))
        at += size
    return found
