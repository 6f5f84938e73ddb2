"""The real gateway between the generator's two ports, and peers in its place. Runs inside a private world (worlds.py).

memif: generator and device are two processes that share memory, as two machines share a line; the generator listens, the
device connects, so a device that comes back finds its line. Core 1 is the device's, core 0 everybody else's.
"""
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import threading
import time

import sites
from served import Served

SOCKET = "/run/lab/line"
GENERATOR = ["net_memif%d,role=server,id=%d,socket=%s" % (i, i, SOCKET) for i in (0, 1)]
DEVICE = ["net_memif%d,role=client,id=%d,socket=%s" % (i, i, SOCKET) for i in (0, 1)]
CABLE = ["net_memif0,role=server,id=0,socket=" + SOCKET, "net_memif1,role=client,id=0,socket=" + SOCKET]


def generator(programs, devices, queues=1):
    # A memif's link is up only once somebody has connected: the caller asks for "ready".
    return Served([programs.path("sekisho-bench-traffic"), "--core", "0", "--memory", "256", "--queues", str(queues), *devices],
                  open("/run/lab/traffic.log", "ab"))


def lab_of(**config):
    """A gateway with this configuration on the memifs (tests/e2e/lab.py)."""
    from lab import Lab

    class PortLab(Lab):
        def __init__(self):
            super().__init__(wires=[], links="", rules="", start=False)
            self.config = {"devices": DEVICE, "rules": 100, "memory_mb": 512, **config}

        def config_text(self):
            return sites.text(**self.config)

        def explain(self):
            """The failure says enough."""

        def start(self):
            try:
                super().start()
            except AssertionError as failed:
                words = ""
                for name in ("sekisho-dataplane", "sekishod"):
                    with open("/var/log/sekisho/%s.log" % name, encoding="utf-8", errors="replace") as log:
                        words += "; %s: %s" % (name, " / ".join(log.read().split("\n")[-4:]).strip())
                raise RuntimeError("%s%s" % (failed, words)) from failed

        def apply(self, **changed):
            self.config.update(changed)
            self.write_config("/run/lab/next.toml")
            self.sekisho("config", "apply", "/run/lab/next.toml", timeout=60)
    return PortLab()


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


def ask_cut(what):
    """As `sekisho cut line --json`, without the start of a process."""
    connection = Unix("/run/sekisho/cut.sock")
    connection.request("POST", "/v1/" + what, json.dumps({"target": "line", "reason": "bench", "reset": False}),
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    receipt = json.loads(answer.read())
    connection.close()
    if answer.status != 200:
        raise RuntimeError("%s: HTTP %d: %s" % (what, answer.status, str(receipt)[:200]))
    return receipt


def stream(g, **words):
    g.ask("streams")
    for one in words.pop("several", [words]):
        g.ask("stream", **one)


def flood(g, rate, seconds):
    """What comes through while more is offered than can pass: packets/s."""
    told = g.ask("trial", rate=rate, seconds=seconds, drain=0.05, timeout=seconds + 60)
    return (told["trial"]["sent"] - told["trial"]["lost"]) / seconds, told


# --- parts: each gets (programs, figures, quick)

def cable(programs, figures, quick):
    with generator(programs, CABLE) as g:
        if not g.ask("ready", seconds=10)["up"]:
            raise RuntimeError("the two ends of the cable do not meet")
        rates = {}
        for size in (64, 1518):
            stream(g, size=size, flows=1000)
            rates[size] = [flood(g, 2e7, 0.5 if quick else 2)[0] / 1e6 for _ in range(5)]
        told = flood(g, 1e5, 0.5)[1]
    for size, samples in rates.items():
        figures.add("selfcheck/cable_%d" % size, "Self-check", "generator to analyser by a memif cable, %d B" % size, "Mpps",
                    samples, better="none")
    figures.histogram("selfcheck/cable_latency", "The cable alone at 100,000 packets/s", "ns", told["streams"][0]["latency_ns"])


def gateway_rates(programs, figures, quick):
    """RFC 2544 of the real gateway on memif, and what it passes when more is offered."""
    group = "RFC 2544, the real gateway on memif ports"
    seconds = 0.5 if quick else 5
    with generator(programs, GENERATOR) as g, lab_of() as gateway:
        gateway.start()
        if not g.ask("ready", seconds=10)["up"]:
            raise RuntimeError("the gateway's ports do not connect")
        for size in (64, 1518) if quick else (64, 128, 256, 512, 1024, 1280, 1518, "imix"):
            name = "IMIX" if size == "imix" else "%s B" % size
            stream(g, size=size, flows=10000)
            learnt = g.ask("learn", rate=50000.0)["through"]
            if learnt < 9900:
                raise RuntimeError("of 10,000 flows %d came through" % learnt)
            full = [flood(g, 2e7, seconds)[0] for _ in range(5)]
            key = "rfc2544/memif/%s" % size
            figures.add(key + "/overload", group, "%s: passed when more is offered" % name, "Mpps", [f / 1e6 for f in full], better="higher")
            top = statistics.median(full)
            found = g.ask("search", kind="mlr", highest=top * 1.3, seconds=seconds, precision=0.05, wall=8.0 if quick else 60.0, timeout=200)
            for goal, text in (("ndr", "throughput without loss (NDR)"), ("pdr", "throughput with at most 0.5 % loss (PDR)")):
                figures.add("%s/%s" % (key, goal), group, "%s: %s" % (name, text), "Mpps", [found[goal]["rate"] / 1e6], better="none",
                            note="" if found["complete"] else "the search was ended by its time")
            rate = found["pdr"]["rate"] or top / 2
            for share in (100, 90, 50):
                told = g.ask("trial", rate=rate * share / 100, seconds=seconds, timeout=60 + seconds)
                figures.histogram("%s/latency_%d" % (key, share), "%s through the real gateway at %d %% of PDR" % (name, share), "ns",
                                  told["streams"][0]["latency_ns"], "two processes, two memif hops; loss %.3g %%, reordered %d, duplicates %d" % (
                                      100 * told["trial"]["loss"], told["streams"][0]["reordered"], told["streams"][0]["duplicates"]))
            points = []
            for share in (50, 80, 100, 120, 150):
                told = g.ask("trial", rate=top * share / 100, seconds=seconds / 2, timeout=60 + seconds)
                points.append((told["offered_rate"] / 1e6, 100 * told["trial"]["loss"]))
            figures.curve(key + "/loss", "%s, loss of the real gateway against what was offered" % name, "Mpps offered", "%", sorted(points), log_x=False)
        stream(g, size=64, flows=10000)
        low, high = 0, 1 << 17
        while high - low > max(32, low // 20):
            middle = (low + high) // 2
            told = g.ask("burst", packets=middle, rate=1.488e7, drain=0.3)
            low, high = (middle, high) if told["trial"]["lost"] == 0 else (low, middle)
        figures.add("rfc2544/memif/64/back_to_back", group, "64 B: longest burst without loss, as fast as the generator sends", "packets",
                    [low], better="none")
        recover(g, gateway, figures, group)


def recover(g, gateway, figures, group):
    """Reset (RFC 2544, 26.6): the dataplane is killed under traffic and started again."""
    silent, rate = [], 20000.0
    stream(g, size=64, flows=100)
    for _ in range(2):
        g.say("trial", rate=rate, seconds=5.0, drain=0.5)
        time.sleep(0.7)
        gateway.kill(gateway.dataplane)
        gateway.start_dataplane()
        told = g.hear(60)
        if told["trial"]["lost"] == told["trial"]["sent"] or told["last_arrival_ns"] < told["began_ns"] + 4.5e9:
            raise RuntimeError("after a restart nothing passes within 4 s")
        silent.append(told["longest_gap_ns"] / 1e9)  # what memif refuses without a peer is neither sent nor lost
        gateway.wait_ready(20)
    figures.add("rfc2544/memif/reset", group, "reset recovery: the dataplane killed (kill -9) and started, time without traffic", "s", silent,
                note="longest gap between two packets at %d packets/s" % rate)


def peers(programs, figures, quick):
    """The same offered traffic for the gateway and for peers in its place, in turns."""
    from ovs import Ovs, installed
    from testpmd import Testpmd
    rounds, seconds, sizes = (3 if quick else 5), (0.5 if quick else 3), (64, 1518)
    passed = {}

    def measure(name, size, g):
        if not g.ask("ready", seconds=10)["up"]:
            raise RuntimeError("%s does not connect" % name)
        stream(g, size=size, flows=10000)
        g.ask("learn", rate=50000.0)
        rate = flood(g, 2e7, seconds)[0]
        if rate == 0:
            raise RuntimeError("%s passes nothing" % name)
        passed.setdefault((name, size), []).append(rate)
    failed = {}

    def in_place(name, start, opposite):
        peer = g = None
        try:
            peer = start()
            if peer is None:
                failed[name] = "is not installed"
                return
            g = opposite()
            for size in sizes:
                measure(name, size, g)
        except Exception as why:  # the others go on
            failed[name] = " ".join(str(why).split())[:200]
        finally:
            if g is not None:
                g.close()
            if peer is not None:
                peer.close()
    for _ in range(rounds):
        with generator(programs, GENERATOR) as g, lab_of() as gateway:
            gateway.start()
            for size in sizes:
                measure("gateway", size, g)
        if "testpmd" not in failed:
            with generator(programs, GENERATOR) as g:
                in_place("testpmd", lambda: Testpmd(DEVICE) if shutil.which("dpdk-testpmd") else None, lambda: g)
        if "ovs" not in failed:
            # It makes a transmit queue for each of its two threads, and the client of a memif decides how many there are: here
            # that is the generator, with two.
            flipped = [[d.replace("role=" + a, "role=" + b) for d in devices]
                       for devices, a, b in ((DEVICE, "client", "server"), (GENERATOR, "server", "client"))]
            in_place("ovs", lambda: Ovs(flipped[0], queues=2) if installed() else None, lambda: generator(programs, flipped[1], 2))
    words = {"testpmd": "testpmd io (the limit of the ports)", "ovs": "Open vSwitch-DPDK with conntrack"}
    for name, text in words.items():
        for size in sizes:
            if (name, size) not in passed or name in failed:
                continue
            pairs = list(zip(passed["gateway", size], passed[name, size]))
            figures.add("peer/%s/%d" % (name, size), "Against peers, same ports, same run", "%d B: gateway / %s" % (size, text), "ratio",
                        [a / b for a, b in pairs], better="none", note="%.3g against %.3g Mpps passed when more is offered (medians)" % (
                            statistics.median(a for a, _ in pairs) / 1e6, statistics.median(b for _, b in pairs) / 1e6))
    for name, why in failed.items():
        figures.data["warnings"].append("%s was not measured: %s" % (words[name], why))


def hospital(programs, figures, quick):
    """What hospitals ask, at rates that any of these machines carries."""
    group, rate = "What hospitals ask", 50000.0
    with generator(programs, GENERATOR) as g, lab_of() as gateway:
        gateway.start()
        if not g.ask("ready", seconds=10)["up"]:
            raise RuntimeError("the gateway's ports do not connect")
        bedside(g, figures, group, quick)
        stream(g, size=1518, flows=1, side="a")
        samples = [flood(g, 3e6, 0.5 if quick else 2)[0] * 1514 * 8 / 1e9 for _ in range(5)]
        figures.add("hospital/one_flow", group, "one flow of full frames (a CT study is one connection), not inspected", "Gbit/s", samples,
                    better="higher")
        stream(g, size=128, flows=1000)
        g.ask("learn", rate=50000.0)
        silence, silent = [], 0
        for _ in range(10 if quick else 50):
            g.say("trial", rate=rate, seconds=0.5, drain=0.05)
            time.sleep(0.2)
            called = time.monotonic_ns()
            ask_cut("cut")
            told = g.hear(30)
            ask_cut("reopen")
            if told["last_arrival_ns"] > called:
                silence.append((told["last_arrival_ns"] - called) / 1e6)
            else:  # nothing was under way when the link was cut: that says nothing
                silent += 1
        if silence:
            figures.add("hospital/cut_ms", group, "cut: from the call of the API to the last packet on the far side", "ms", silence,
                        note="at %d packets/s, by the analyser's clock; %d cuts left out because the generator was not running" % (rate, silent))


def swaps(programs, figures, quick):
    """Blocked time of a policy swap and of a reload, at a rate that leaves the compiler (nice 10) time on two cores."""
    with open("/run/lab/reload.rules", "w", encoding="utf-8") as out:
        out.writelines('alert tcp any any -> any any (msg:"reload %d"; content:"word-%06d-never-sent"; sid:%d; rev:1;)\n' % (i, i, 8900000 + i)
                       for i in range(500 if quick else 5000))
    group, rate, nap = "What hospitals ask", 20000.0, 200
    with generator(programs, GENERATOR) as g, lab_of(more='ips = "detect"\n', idle="adaptive") as gateway:
        gateway.start()
        if not g.ask("ready", seconds=10)["up"]:
            raise RuntimeError("the gateway's ports do not connect")
        stream(g, size=128, flows=1000)
        g.ask("learn", rate=20000.0)
        # The same span without a change: what this machine loses by itself.
        quiet = [1e3 * g.ask("trial", rate=rate, nap_us=nap, seconds=2.0, drain=0.3)["trial"]["lost"] / rate for _ in range(2)]
        for key, title, change in (
                ("swap", "policy swap (100 ↔ 10,000 rules)", lambda i: dict(rules=10000 if i % 2 == 0 else 100)),
                ("reload", "reload of signatures (none ↔ %d)" % (500 if quick else 5000), lambda i: dict(
                    tail='[ips]\nfiles = ["/run/lab/reload.rules"]\n' if i % 2 == 0 else ""))):
            blocked, gaps, late = [], [], 0
            for i in range(3 if quick else 8):
                g.say("trial", rate=rate, nap_us=nap, seconds=4.0, drain=0.3)
                time.sleep(0.3)
                try:
                    gateway.apply(**change(i))
                    done = time.monotonic_ns()
                finally:
                    told = g.hear(120)
                if done > told["began_ns"] + 3.9e9:  # the change fell outside of the trial
                    late += 1
                    continue
                blocked.append(1e3 * told["trial"]["lost"] / rate)
                gaps.append(told["longest_gap_ns"] / 1e6)
            if not blocked:
                raise RuntimeError("%s took longer than the trial (4 s), %d times" % (title, late))
            figures.add("hospital/%s_blocked_ms" % key, group, title + ": blocked time, lost ÷ offered rate", "ms", blocked,
                        note="longest gap between two packets %.3g ms (the generator's own pauses included); without a change %.3g ms" % (
                            max(gaps), max(quiet)))


def bedside(g, figures, group, quick):
    """A monitor's small packets, alone and while a study passes at half of what one flow carries."""
    study = dict(size=1518, flows=1, side="a", port=11112)
    stream(g, **study)
    most = flood(g, 3e6, 0.5)[0]
    monitor = dict(size=128, flows=10, port=24105)
    seconds = 2.0 if quick else 10.0
    p99 = {}
    for name, streams, rate in (("alone", [monitor], 1000.0),
                                ("while a CT study passes", [dict(monitor, share=1), dict(study, share=max(most / 2000, 1))],
                                 1000 + max(most / 2, 1000))):
        stream(g, several=streams)
        told = g.ask("trial", rate=rate, seconds=seconds, timeout=60 + seconds)["streams"][0]
        p99[name] = told["latency_ns"]["p99"] / 1e3
        figures.histogram("hospital/bedside/" + name.split()[0], "Bedside monitor (1,000 packets/s of 128 B), " + name, "ns", told["latency_ns"],
                          "lost %d of %d" % (told["lost"], told["sent"]))
    figures.add("hospital/bedside_p99_us", group, "bedside monitor's p99 while a CT study passes (%.3g Gbit/s)" % (most / 2 * 1514 * 8 / 1e9),
                "us", [p99["while a CT study passes"]], better="none", note="alone %.3g us" % p99["alone"])


PARTS = {  # name: (title, seconds quick, seconds full, function)
    "ports/selfcheck": ("self-check: the generator's ports back to back", 8, 25, cable),
    "ports/rfc2544": ("RFC 2544: the real gateway on memif", 45, 500, gateway_rates),
    "ports/hospital": ("cuts, one flow, a monitor beside a CT study", 18, 70, hospital),
    "ports/swaps": ("policy swaps and reloads under traffic", 34, 90, swaps),
    "ports/peers": ("peers in the same place: testpmd, Open vSwitch", 50, 200, peers),
}
