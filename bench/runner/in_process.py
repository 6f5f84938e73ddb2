"""The pipeline between two ports in memory (sekisho-bench-loop): cost a packet, RFC 2544 by a virtual clock, curves."""
import os

import sites
from served import Served
from stats import line, median

SIZES = (64, 128, 256, 512, 1024, 1280, 1518, 9000)
IN_PROCESS = "in process"
MOST_FLOWS = 1 << 22  # of one worker's table


class InProcess:
    def __init__(self, programs, folder, figures, options):
        self.programs, self.folder, self.figures, self.options = programs, folder, figures, options
        self._snapshots = {}

    def snapshot(self, name, *more, **config):
        """Compiled once for each configuration."""
        key = (name, more)
        if key not in self._snapshots:
            toml, out = (os.path.join(self.folder, name + end) for end in (".toml", ".snapshot"))
            with open(toml, "w", encoding="utf-8") as text:
                text.write(sites.text(**config))
            told = self.programs.snapshot(toml, out, *more)
            self._snapshots[key] = (out, told)
        return self._snapshots[key]

    def plain(self):
        return self.snapshot("plain", rules=100)[0]

    def open(self, snapshot, **stream):
        if self.options.delay_ns:
            stream["delay_ns"] = self.options.delay_ns
        loop = Served([self.programs.path("sekisho-bench-loop")])
        try:
            loop.opened = loop.ask("open", snapshot=snapshot, **stream)
        except Exception:
            loop.close()
            raise
        return loop

    def rounds(self, loops, rounds, seconds, fresh=False):
        """{key: (ns, normal, note)}: the loops take turns, so that what else the machine does meets all alike."""
        samples = {key: ([], []) for key in loops}
        drops = {}
        for loop in loops.values():  # memory that is touched for the first time is no cost of a packet
            loop.ask("cost", seconds=seconds, samples=1, fresh=int(fresh))
        for _ in range(rounds):
            for key, loop in loops.items():
                told = loop.ask("cost", seconds=seconds, samples=1, fresh=int(fresh))
                samples[key][0].append(told["ns"][0])
                samples[key][1].append(told["ns"][0] / told["yard_ns"][0])
                drops[key] = told["drops"]
        return {key: (ns, normal, "dropped: " + drops[key] if drops[key] else "")
                for key, (ns, normal) in samples.items()}

    def cost_by_size(self, rounds, seconds):
        loops = {}
        try:
            for size in (*SIZES, "imix"):
                loops[size] = self.open(self.plain(), size=size, flows=10000)
            told = self.rounds(loops, rounds, seconds)
        finally:
            for loop in loops.values():
                loop.close()
        for size, (ns, normal, note) in told.items():
            name = "IMIX" if size == "imix" else "%d B" % size
            self.figures.add("cost/%s" % size, "Cost a packet", "%s, 10,000 UDP flows, 100 rules, checksums verified" % name,
                             "ns", ns, normal=normal, note=note)
        points = [(size, median(told[size][0]), min(told[size][0]), max(told[size][0])) for size in SIZES]
        a, b, r2 = line([p[0] for p in points], [p[1] for p in points])
        self.figures.add("cost/packet_ns", "Cost a packet", "of that by packet (line through the sizes, r² %.3f)" % r2, "ns", [a],
                         better="none")
        self.figures.add("cost/byte_ns", "Cost a packet", "of that by byte", "ns", [b], better="none")
        self.figures.curve("cost_size", "Cost a packet against its size", "frame, B", "ns", points, log_x=False,
                           note="line: %.3g ns + %.3g ns a byte" % (a, b))

    def rfc2544(self, sizes, seconds, wall):
        for size in sizes:
            with self.open(self.plain(), size=size, flows=10000) as loop:
                self._rfc2544_of(loop, size, seconds, wall)

    def _rfc2544_of(self, loop, size, seconds, wall):
        group, name = "RFC 2544, in process (virtual clock)", "IMIX" if size == "imix" else "%s B" % size
        key = "rfc2544/loop/%s" % size
        ns = loop.ask("cost", seconds=0.05, samples=3)["ns"]
        most = 2.5e9 / max(min(ns), 1)
        found = loop.ask("search", kind="mlr", highest=most, seconds=seconds, precision=0.02, wall=wall, timeout=wall + 60)
        took = "%d interruptions, %.2g ms taken out" % (found["interrupted"], found["taken_out_ns"] / 1e6)
        self.figures.add(key + "/ndr", group, "%s: throughput without loss (MLRsearch, NDR)" % name, "Mpps",
                         [found["ndr"]["rate"] / 1e6], better="none", note=took)
        self.figures.add(key + "/pdr", group, "%s: with at most 0.5 %% loss (PDR)" % name, "Mpps",
                         [found["pdr"]["rate"] / 1e6], better="none")
        binary = loop.ask("search", kind="binary", highest=most, seconds=seconds, precision=0.02, wall=wall, timeout=wall + 60)
        self.figures.add(key + "/binary", group, "%s: throughput without loss (binary search)" % name, "Mpps",
                         [binary["ndr"]["rate"] / 1e6], better="none")
        top = found["pdr"]["rate"] or found["ndr"]["rate"]
        if not top:
            return
        for share in (100, 90, 50):
            told = loop.ask("trial", rate=top * share / 100, seconds=seconds)
            latency = told["latency_ns"]
            self.figures.histogram("%s/latency_%d" % (key, share), "%s, latency at %d %% of PDR" % (name, share), "ns", latency,
                                   "in process: ring and pipeline, no driver; loss %.3g %%" % (100 * told["trial"]["loss"]))
            self.figures.add("%s/p99_%d" % (key, share), group, "%s: latency at %d %% of PDR, p99" % (name, share), "us",
                             [latency["p99"] / 1e3], better="none")
        points = []
        for share in (50, 70, 80, 90, 95, 100, 105, 110, 120, 130):
            told = loop.ask("trial", rate=top * share / 100, seconds=seconds / 2)
            points.append((top * share / 100 / 1e6, 100 * told["trial"]["loss"]))
        self.figures.curve(key + "/loss", "%s, loss against the offered rate" % name, "Mpps offered", "%", points, log_x=False)
        # Back to back: the longest burst at the line's rate that is not lost from (RFC 2544, 26.4); 10 GbE.
        line_rate = 10e9 / 8 / ((64 if size == "imix" else size) + 20)
        low, high = 0, 1 << 20
        while high - low > max(1, low // 50):
            middle = (low + high) // 2 if low else max(64, high // 16)
            told = loop.ask("burst", packets=middle, rate=line_rate)
            if told["trial"]["lost"] == 0:
                low = middle
            else:
                high = middle
        self.figures.add(key + "/back_to_back", group, "%s: longest burst at 10 Gbit/s without loss%s" % (
            name, " (no end found)" if low > 1 << 19 else ""), "packets", [low], better="none")

    def features(self, rounds, seconds, rules_file):
        """Each feature alone, against the same traffic without it."""
        plain = dict(rules=2, checksums="trust")
        base = self.snapshot("base", **plain)[0]
        pairs = [  # name, title, (snapshot, stream) with, and without
            ("checksums", "checksums verified instead of trusted, 64 B", (self.snapshot("verify", rules=2)[0], {}), (base, {})),
            ("checksums_1518", "the same, 1518 B", (self.snapshot("verify", rules=2)[0], dict(size=1518)), (base, dict(size=1518))),
            ("rules", "10,000 rules instead of 2, known flows", (self.snapshot("rules10k", rules=10000, checksums="trust")[0], {}), (base, {})),
            ("limits", "flows counted by source", (self.snapshot("limits", rules=2, checksums="trust", per_source=20000)[0], {}), (base, {})),
            ("vlan", "VLAN tags", (base, dict(vlan=10)), (base, {})),
            ("ipv6", "IPv6 instead of IPv4, 128 B", (base, dict(ip=6, size=128)), (base, dict(size=128))),
            ("tcp", "TCP state and windows instead of UDP, 128 B", (base, dict(protocol="tcp", size=128)), (base, dict(size=128))),
            ("inspect", "ips = detect without signatures (reassembly, protocols), TCP 1518 B",
             (self.snapshot("inspect", "--inspect", **plain)[0], dict(protocol="tcp", size=1518, flows=1000)),
             (base, dict(protocol="tcp", size=1518, flows=1000)))]
        if rules_file:
            out, told = self.snapshot("signatures", "--signatures", rules_file, "--cache", self.folder, **plain)
            pairs.append(("signatures", "ips = detect with %d signatures, TCP 1518 B" % told["signatures"],
                          (out, dict(protocol="tcp", size=1518, flows=1000)),
                          (base, dict(protocol="tcp", size=1518, flows=1000))))
        for name, title, with_it, without in pairs:
            loops = {}
            try:
                for key, (snapshot, stream) in ((1, with_it), (0, without)):
                    loops[key] = self.open(snapshot, **{"flows": 10000, **stream})
                told = self.rounds(loops, rounds, seconds)
            finally:
                for loop in loops.values():
                    loop.close()
            more = [a - b for a, b in zip(told[1][0], told[0][0])]
            self.figures.add("feature/" + name, "Cost of each feature", title, "ns", more, better="none", spread=False,
                             note=("%.3g ns a packet without it, %.3g × with it" % (
                                 median(told[0][0]), median([a / b for a, b in zip(told[1][0], told[0][0])]))) +
                             ("; " + told[1][2] if told[1][2] else ""))

    def flows_curve(self, counts, seconds, rounds):
        points, memory, base = [], [], None
        for flows in counts:
            with self.open(self.plain(), flows=flows, capacity=min(flows + flows // 4 + 1024, MOST_FLOWS)) as loop:
                ns = [loop.ask("cost", seconds=seconds, samples=1, timeout=300)["ns"][0] for _ in range(rounds + 1)][1:]
                points.append((flows, median(ns), min(ns), max(ns)))
                if base is None:
                    base = loop.opened["memory_bytes"]
                if flows >= 10000:
                    memory.append((flows, (loop.opened["memory_bytes"] - base) / flows))
        self.figures.curve("flows", "Cost a packet against live flows (64 B, uniform)", "flows", "ns", points)
        self.figures.curve("memory", "Memory a flow against flows (resident, table a quarter larger than needed, as far as it may)", "flows", "B", memory,
                           note="beyond the %.3g MB of a gateway and its generator with one flow" % (base / 1e6))

    def rules_curve(self, counts, seconds, rounds):
        fresh, known = [], []
        for rules in counts:
            snapshot = self.snapshot("rules%d" % rules, rules=rules)[0]
            with self.open(snapshot, flows=65536, capacity=200000) as loop:
                for points, new in ((known, False), (fresh, True)):
                    ns = [loop.ask("cost", seconds=seconds, samples=1, fresh=int(new))["ns"][0] for _ in range(rounds)]
                    points.append((rules, median(ns), min(ns), max(ns)))
        self.figures.curve("rules_new", "Cost of a packet that opens a flow, against rules", "rules", "ns", fresh)
        self.figures.curve("rules_known", "Cost of a packet of a known flow, against rules", "rules", "ns", known)

    def signatures_curve(self, rules_file, counts, seconds, rounds):
        import gzip
        opener = gzip.open if rules_file.endswith(".gz") else open
        with opener(rules_file, "rt", encoding="utf-8", errors="replace") as text:
            lines = [one for one in text if one.startswith(("alert ", "drop ", "reject ", "pass "))]
        points, memory = [], []
        for count in counts:
            count = min(count, len(lines))
            more = ["--inspect"]
            if count:
                path = os.path.join(self.folder, "part%d.rules" % count)
                with open(path, "w", encoding="utf-8") as out:
                    out.writelines(lines[i * len(lines) // count] for i in range(count))
                more = ["--signatures", path, "--cache", self.folder]
            snapshot, told = self.snapshot("sig%d" % count, *more, rules=2)
            with self.open(snapshot, protocol="tcp", size=1518, flows=1000) as loop:
                ns = [loop.ask("cost", seconds=seconds, samples=1, timeout=300)["ns"][0] for _ in range(rounds + 1)][1:]
            points.append((max(told["signatures"], 1), median(ns), min(ns), max(ns)))
            memory.append((max(told["signatures"], 1), told["bytes"] / 1e6))
            if count == len(lines):
                break
        self.figures.curve("signatures", "Cost of a TCP packet of 1518 B against signatures (bytes of no protocol)", "signatures",
                           "ns", points, note="from %s; the payload is random bytes, as ciphered content is: the scan's own cost, few candidates" %
                           os.path.basename(rules_file))
        self.figures.curve("signatures_size", "Compiled policy against signatures", "signatures", "MB", memory)

    def workers_curve(self, counts, flows=10000, zipf=1.0):
        speed, load = [], []
        with Served([self.programs.path("sekisho-bench-loop")]) as loop:
            for workers in counts:
                told = loop.ask("rss", workers=workers, flows=flows, zipf=zipf)
                speed.append((workers, told["speedup"]))
                load.append((workers, told["fullest_to_even"]))
        self.figures.curve("workers", "Workers' worth by RSS (simulated): packets / packets of the fullest core", "workers",
                           "×", speed, log_x=False, note="%d flows, zipf %.2g, symmetric Toeplitz hash over the addresses, 512 places; a worker "
                           "alone is 1; the heaviest flow alone is %.3g %% of the packets" % (
                               flows, zipf, 100 / sum(1 / i ** zipf for i in range(1, flows + 1))))
        self.figures.curve("workers_load", "Load of the fullest core against an even share (simulated)", "workers", "×", load, log_x=False)

    def generator(self, seconds=0.3):
        with Served([self.programs.path("sekisho-bench-loop")]) as loop:
            return [loop.ask("generator", flows=10000, seconds=seconds)["ns"] for _ in range(3)]
