"""What faster lines would need in cores: a model from measured cost a packet and a byte, with its assumptions."""
ASSUMPTIONS = [
    "each worker owns a core like the measured one, and its share of the caches; costs add, and do not grow with workers",
    "a NIC driver adds %d ns a packet for receive, transmit and buffers (published figures for DPDK drivers: 15 to 40 ns)",
    "no core is loaded above %d %%, so that bursts and housekeeping have room",
    "RSS spreads flows so that the fullest core has %.2g × an even share (simulated, see the curve of workers)",
    "memory bandwidth, PCIe and the line card are not limits; one pair of hosts is one core's work and does not spread",
]
DRIVER_NS, FULL, LINES, SIZES = 25, 0.8, (10, 25, 100), (64, 373.5, 1518)


def cores(packet_ns, byte_ns, gbit, size, uneven=1.3, driver_ns=DRIVER_NS, full=FULL):
    """Cores for a line filled in both directions together (gbit is their sum) with frames of `size` bytes, FCS included."""
    packets = gbit * 1e9 / 8 / (size + 20)  # preamble and gap
    return packets * (packet_ns + byte_ns * size + driver_ns) * 1e-9 * uneven / full


def table(figures):
    a, b = figures.value("cost/packet_ns"), figures.value("cost/byte_ns")
    if a is None or b is None:
        return None
    curve = next((c for c in figures.data["curves"] if c["id"] == "workers_load"), None)
    # The unevenness at 8 workers, where the model is mostly read.
    uneven = next((p[1] for p in curve["points"] if p[0] == 8), 1.3) if curve else 1.3
    return {"packet_ns": a, "byte_ns": b, "driver_ns": DRIVER_NS, "full": FULL, "uneven": uneven,
            "assumptions": [ASSUMPTIONS[0], ASSUMPTIONS[1] % DRIVER_NS, ASSUMPTIONS[2] % (100 * FULL), ASSUMPTIONS[3] % uneven,
                            ASSUMPTIONS[4]],
            "rows": [{"gbit": g, "size": "IMIX" if s == 373.5 else "%d B" % s,
                      "mpps": g * 1e3 / 8 / (s + 20), "cores": cores(a, b, g, s, uneven)} for g in LINES for s in SIZES]}
