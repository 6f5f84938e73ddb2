"""The real programs, each measurement in namespaces of its own: `bench --inside NAME` runs one of these.

Replayed captures: two net_pcap ports, infinite_rx, no huge pages, the gateway's worker and testpmd's forwarding
core on the same core. veth: the laboratory of tests/e2e.
"""
import http.client
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

import operations
import paint
from frames import write_pair
from micro import percentile, summary
from ovs import Ovs
from testpmd import Testpmd

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
PLACES = {"sekisho": "control/cli", "sekishod": "control/daemon", "sekisho-dataplane": "dataplane/io"}


def program(build, name):
    """A program of a build: linked at its top by scripts/build, or where meson leaves it."""
    for path in (os.path.join(build, name), os.path.join(build, PLACES.get(name, "bench"), name)):
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.realpath(path)
    raise RuntimeError("%s has no %s" % (build, name))


def prepare(build):
    """REQUIRES: a private world. The programs where the laboratory looks for them; then its modules."""
    os.makedirs("/run/lab/bin", exist_ok=True)
    for name in PLACES:
        os.symlink(program(build, name), "/run/lab/bin/" + name)
    paint.find(build)
    os.environ["SEKISHO_BUILD"] = "/run/lab/bin"
    os.chmod("/run/lab", 0o755)


HEAD = """[gateway]
name = "bench"
workers = 1
steward_core = 0
cores = [1]
idle = "%s"
hugepages = false
memory_mb = 1024
max_flows = 131072
"""


def fillers(count, first_port=1):
    """Rules that no packet of a benchmark matches, all different."""
    return "".join('[[rule]]\nname = "filler %d"\nfrom = "device"\nto = "his"\ndestination = ["10.99.%d.%d"]\n'
                   'service = { tcp = %d }\naction = "accept"\n' % (i, i // 250, 1 + i % 250, first_port + i % 50)
                   for i in range(count))


ACCEPT = ('[[rule]]\nname = "there"\nfrom = "device"\nto = "his"\naction = "accept"\n'
          '[[rule]]\nname = "back"\nfrom = "his"\nto = "device"\naction = "accept"\n')
LINK = '[[link]]\nname = "line"\nzones = ["device", "his"]\n'
LIMITS = "[limits]\nflows_per_source = 131072\nflows_per_zone_pair = 131072\n"


def lab_class():
    from lab import Lab

    class Bench(Lab):
        """pcaps: replays them; else one wire of veth."""

        def __init__(self, pcaps=None, idle="poll", rules=100, recorder=True, signatures=None):
            from lab import Wire
            wires = [] if pcaps else [Wire(1, "line", "device", "his")]
            links, ips = LINK, ""
            if signatures:
                links += 'ips = "prevent"\n'
                ips = '[ips]\nfiles = ["%s"]\nnew_signatures_detect_for = 0\n' % signatures
            super().__init__(wires=wires, links=links, rules=fillers(rules - 2) + ACCEPT + ips, start=False)
            self.pcaps, self.idle, self.recorder = pcaps, idle, recorder

        def config_text(self):
            text = HEAD % self.idle + LIMITS + ("" if self.recorder else "[recorder]\nmemory_mb = 0\n")
            text += '[[zone]]\nname = "device"\n[[zone]]\nname = "his"\n'
            if self.pcaps:
                for i, path in enumerate(self.pcaps):
                    text += ('[[port]]\nname = "p%d"\ndevice = "net_pcap,rx_pcap=%s,infinite_rx=1"\n'
                             '[[interface]]\nname = "i%d"\nport = "p%d"\nzone = "%s"\n' % (
                                 i, path, i, i, ("device", "his")[i]))
                text += '[[wire]]\nname = "line"\nsides = ["i0", "i1"]\n'
            else:
                text += self.wires[0].toml("verify")
            return text + self._links + self.rules

        def start(self):
            try:
                super().start()
            except AssertionError as failed:
                raise RuntimeError("%s; %s" % (failed, self.last_words())) from failed

        def last_words(self):
            words = []
            for name in ("sekisho-dataplane", "sekishod"):
                with open("/var/log/sekisho/%s.log" % name, encoding="utf-8", errors="replace") as log:
                    words.append("%s: %s" % (name, " / ".join(log.read().split("\n")[-4:]).strip()))
            return "; ".join(words)

        def stop(self):
            """Ends both daemons and leaves their ports as they were found."""
            for process in (self.sekishod, self.dataplane):
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    self.kill(process)
            for wire in self.wires:
                for host in (wire.a, wire.b):
                    subprocess.run(["ip", "link", "set", host.gateway_interface, "xdp", "off"], check=False)
            # This network namespace is the benchmark's own: what is in it is the gateway's ingress drop.
            subprocess.run(["nft", "flush", "ruleset"], check=False, stderr=subprocess.DEVNULL)

        def explain(self):
            """The failure says enough."""

        def dataplane_count(self):
            now = time.monotonic()
            status = self.status()
            if status is None:
                raise RuntimeError("sekisho status does not answer")
            return now, status["dataplane"]
    return Bench


FLOWS = 10000


def make_pcaps(size):
    paths = ["/run/lab/there.pcap", "/run/lab/back.pcap"]
    write_pair(*paths, size, FLOWS)
    return paths


def cpu_times(pid):
    """CPU time of each thread, in ns."""
    times = {}
    for thread in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, thread), encoding="ascii") as stat:
                times[thread] = int(stat.read().split()[0])
        except FileNotFoundError:
            continue
    return times


def polled_ns(before, after):
    """What the busiest thread, the one that polls, used between two readings."""
    return max(after[t] - before.get(t, 0) for t in after)


def _gateway_rate(bench, paths, seconds, recorder):
    with bench(paths, recorder=recorder) as gateway:
        gateway.start()
        time.sleep(0.7)  # all flows are known
        t0, first = gateway.dataplane_count()
        c0 = cpu_times(gateway.dataplane.pid)
        time.sleep(seconds)
        t1, last = gateway.dataplane_count()
        c1 = cpu_times(gateway.dataplane.pid)
        received = last["packets_received"] - first["packets_received"]
        sent = last["packets_sent"] - first["packets_sent"]
        gateway.stop()
    if received == 0 or sent < 0.99 * received:
        raise RuntimeError("of %d packets received %d were sent" % (received, sent))
    return received / (t1 - t0) / 1e6, received * 1e3 / polled_ns(c0, c1)


def _testpmd_rate(paths, seconds):
    testpmd = Testpmd(["net_pcap%d,rx_pcap=%s,infinite_rx=1" % (i, path) for i, path in enumerate(paths)])
    try:
        time.sleep(0.5)
        c0, (t0, first) = cpu_times(testpmd.pid), testpmd.received()
        time.sleep(seconds)
        c1, (t1, last) = cpu_times(testpmd.pid), testpmd.received()
    finally:
        testpmd.close()
    return (last - first) / (t1 - t0) / 1e6, (last - first) * 1e3 / polled_ns(c0, c1)


def _against(pairs, ours, theirs, unit):
    """Alternated, so that what else the machine does meets both."""
    mine, yard = [], []
    for _ in range(pairs):
        mine.append(ours())
        yard.append(theirs())
    return summary([m / y for m, y in zip(mine, yard)], "ratio", note="%.3g against %.3g %s (medians)" % (
        statistics.median(mine), statistics.median(yard), unit))


def _pcap_pairs(size, quick, yardstick, recorder=True):
    """The gateway and a yardstick(paths, seconds) on the same captures."""
    bench, paths, seconds = lab_class(), make_pcaps(size), 1.5 if quick else 4
    per_cpu = []

    def first_of(measure):
        rate, alone = measure()
        per_cpu.append(alone)
        return rate
    out = _against(3 if quick else 5, lambda: first_of(lambda: _gateway_rate(bench, paths, seconds, recorder)),
                   lambda: first_of(lambda: yardstick(paths, seconds)), "Mpps")
    out["per_cpu_second"] = statistics.median(m / y for m, y in zip(per_cpu[::2], per_cpu[1::2]))
    out["note"] += "; by CPU time of the polling thread, so without what others took of its core: %.3g against %.3g, " \
                   "ratio %.3g" % (statistics.median(per_cpu[::2]), statistics.median(per_cpu[1::2]),
                                   out["per_cpu_second"])
    return out


def _ovs_rate(paths, seconds):
    ovs = Ovs(["net_pcap%d,rx_pcap=%s,infinite_rx=1" % (i, path) for i, path in enumerate(paths)])
    try:
        time.sleep(2)  # all connections are known, its caches are full
        c0, (t0, first, sent_first) = cpu_times(ovs.pid), ovs.counts()
        time.sleep(seconds)
        c1, (t1, last, sent_last) = cpu_times(ovs.pid), ovs.counts()
        known = ovs.connections()
    finally:
        ovs.close()
    received, sent = last - first, sent_last - sent_first
    if received == 0 or sent < 0.99 * received or known != FLOWS:
        raise RuntimeError("Open vSwitch: of %d packets received %d were sent, %d connections" % (received, sent, known))
    return received / (t1 - t0) / 1e6, received * 1e3 / polled_ns(c0, c1)


def vs_ovs_conntrack(quick):
    return _pcap_pairs(64, quick, _ovs_rate)


def vs_testpmd(quick):
    return _pcap_pairs(64, quick, _testpmd_rate)


def vs_testpmd_unrecorded(quick):
    return _pcap_pairs(64, quick, _testpmd_rate, recorder=False)


def vs_testpmd_1518(quick):
    return _pcap_pairs(1518, quick, _testpmd_rate)


class _Iperf:
    """Each call is one stream's rate in Gbit/s, to a server of its own: one that is not done with the stream before refuses."""

    def __init__(self, gateway, seconds):
        self._gateway, self._wire, self._seconds, self._port = gateway, gateway.wires[0], seconds, 5200

    def _stream(self):
        near, far = self._wire.a, self._wire.b
        self._gateway.wait(lambda: subprocess.run(["ip", "netns", "exec", near.name, "ping", "-c1", "-W1", far.ip4],
                                                  stdout=subprocess.DEVNULL).returncode == 0, 10, "the wire to pass")
        self._port += 1
        server = subprocess.Popen(["ip", "netns", "exec", far.name, "iperf3", "-s", "--forceflush", "-p", str(self._port)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        try:
            while b"listening" not in server.stdout.readline():
                if server.poll() is not None:
                    raise RuntimeError("iperf3 does not listen")
            out = json.loads(near.command("iperf3", "-J", "-c", far.ip4, "-p", self._port, "-t", self._seconds,
                                          timeout=self._seconds + 10))
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        if "sum_received" not in out["end"]:
            raise RuntimeError("iperf3: %s" % out.get("error", "no result"))
        return out["end"]["sum_received"]["bits_per_second"] / 1e9

    def ours(self):
        self._gateway.start()
        try:
            return self._stream()
        finally:
            self._gateway.stop()

    def theirs(self):
        testpmd = Testpmd(["net_af_xdp%d,iface=%s" % (i, host.gateway_interface)
                           for i, host in enumerate((self._wire.a, self._wire.b))])
        try:
            return self._stream()
        finally:
            testpmd.close()


def veth_tcp_vs_testpmd(quick):
    gateway = lab_class()()
    iperf = _Iperf(gateway, 2 if quick else 5)
    with gateway:
        return _against(3 if quick else 5, iperf.ours, iperf.theirs, "Gbit/s")


SIGNATURES = os.path.join(ROOT, "..", "shared", "rules", "etopen-2024-03-08.rules.gz")


def veth_et_gbps(quick):
    if not os.path.exists(SIGNATURES):
        raise RuntimeError("no signatures in ../shared")
    gateway = lab_class()(signatures=os.path.realpath(SIGNATURES))
    iperf = _Iperf(gateway, 2 if quick else 5)
    with gateway:
        rates, yard = [], []
        for _ in range(3 if quick else 5):
            rates.append(iperf.ours())
            yard.append(iperf.theirs())
        return summary(rates, "Gbit/s", note="testpmd io between the same runs: %.3g Gbit/s, ratio %.3g (medians)" % (
            statistics.median(yard), statistics.median(rates) / statistics.median(yard)))


class _Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


def _ask(what):
    """As `sekisho cut line --json` does, without the start of a process between two cuts."""
    connection = _Unix("/run/sekisho/cut.sock")
    body = json.dumps({"target": "line", "reason": "bench", "reset": False})
    connection.request("POST", "/v1/" + what, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    receipt = json.loads(answer.read())
    connection.close()
    if answer.status != 200:
        raise RuntimeError("%s: HTTP %d: %s" % (what, answer.status, str(receipt)[:200]))
    return receipt


def _ticks():
    with open("/proc/stat", encoding="ascii") as stat:
        values = [int(v) for v in stat.readline().split()[1:9]]
    return values[7], sum(values)


def waited_ns(pid, name):
    """A reader of how long a thread has waited for its core, in ns: it stands still while nobody else runs there."""
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, thread), encoding="ascii") as comm:
            if comm.read().strip() != name:
                continue
        path = "/proc/%d/task/%s/schedstat" % (pid, thread)

        def read():
            with open(path, encoding="ascii") as stat:
                return int(stat.read().split()[1])
        return read
    raise RuntimeError("no thread is called %s" % name)


def obey_us(quick):
    samples, alone, unconfirmed = [], [], 0
    paths = make_pcaps(64)
    os.sched_setaffinity(0, {0})  # sekishod and this client too: the worker, which sets its own, has core 1 alone
    with lab_class()(paths) as gateway:
        gateway.start()
        time.sleep(0.5)
        waited = waited_ns(gateway.dataplane.pid, "worker 0")
        steal, total = _ticks()
        end = time.monotonic() + (15 if quick else 240)
        rounds = 0
        while rounds < 10000 and time.monotonic() < end:
            time.sleep(0.03)  # sekishod has read the flows' events, so that the call below is short
            before = waited()
            receipt = _ask("cut")
            undisturbed = waited() == before
            if receipt["outcome"] != "CONFIRMED":
                unconfirmed += 1
            for worker in receipt["workers"]:
                if worker["obeyed"] and not worker["asleep"]:
                    samples.append((worker["obeyed_ns"] - receipt["stored_ns"]) / 1e3)
                    alone += samples[-1:] if undisturbed else []
            _ask("reopen")
            rounds += 1
        steal2, total2 = _ticks()
        gateway.stop()
    stolen = 100.0 * (steal2 - steal) / max(1, total2 - total)
    if len(alone) < 50:
        raise RuntimeError("the worker had its core to itself in %d of %d cuts only" % (len(alone), len(samples)))
    out = summary(alone, "us", p99=percentile(alone, 99), steal_pct=round(stolen, 3), unconfirmed=unconfirmed)
    out["all"] = summary(samples, "us", p99=percentile(samples, 99))
    out["note"] = ("p99 %.4g in the %d cuts in which the worker had its core to itself; in all %d cuts: median %.3g, p99 %.4g, "
                   "at most %.4g; %d unconfirmed, steal %.2f %%" % (
                       out["p99"], len(alone), rounds, out["all"]["median"], out["all"]["p99"], out["all"]["max"],
                       unconfirmed, stolen))
    return out


class FarEnd:
    """The kernel's time of the last datagram to `port` that came to a host."""

    def __init__(self, host, port):
        self.last = 0.0  # CLOCK_REALTIME
        self.count = 0
        self._port = struct.pack("!H", port)
        self._stop = threading.Event()
        with host:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            self._socket.bind(("eth0", 0x0800))
        self._socket.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self._socket.settimeout(0.05)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop.is_set():
            try:
                data, ancillary, _, _ = self._socket.recvmsg(128, 64)
            except socket.timeout:
                continue
            if data[36:38] == self._port and ancillary:
                seconds, ns = struct.unpack("=qq", ancillary[0][2][:16])
                self.last = seconds + ns * 1e-9
                self.count += 1

    def close(self):
        self._stop.set()
        self._thread.join(1)
        self._socket.close()


def _flooded(gateway, rate):
    import traffic
    wire = gateway.wires[0]
    sink = gateway.keep(traffic.UdpSink(wire.b, 7001))
    gateway.keep(traffic.UdpFlood(wire.a, wire.b.ip4, 7001, rate=rate))
    if not sink.wait_for(1000, 10):
        raise RuntimeError("the flood does not pass")
    return sink


def cut_ms(quick):
    spans, apart, unconfirmed, silent = [], [], 0, 0
    with lab_class()(idle="adaptive") as gateway:
        gateway.start()
        _flooded(gateway, 10000)
        far = gateway.keep(FarEnd(gateway.wires[0].b, 7001))
        for _ in range(25 if quick else 100):
            seen = far.count
            gateway.wait(lambda: far.count > seen + 100, 10, "the flood to pass again")
            called = time.time()
            receipt = gateway.json("cut", "line", "--reason", "bench")
            time.sleep(0.15)
            unconfirmed += receipt["outcome"] != "CONFIRMED"
            if far.last > called:
                spans.append((far.last - called) * 1e3)
            else:  # the sender was not running when the link was cut: that says nothing
                silent += 1
            own = [link["last_packet_ns"] for link in receipt["links"] if link["last_packet_ns"]]
            if own and far.last > called:
                offset = time.time_ns() - time.monotonic_ns()
                apart.append(abs(max(own) + offset - far.last * 1e9) / 1e6)
            gateway.json("reopen", "line", "--reason", "bench")
        gateway.stop()
    out = summary(spans, "ms", p99=percentile(spans, 99), unconfirmed=unconfirmed)
    out["note"] = "p99 %.3g, %d cuts, %d unconfirmed, %d left out because the sender was silent" % (
        out["p99"], len(spans) + silent, unconfirmed, silent)
    if apart:
        out["note"] += "; the receipt's last packet is %.2g ms (median; at most %.2g) from the capture's" % (
            statistics.median(apart), max(apart))
    return out


def swap_lost(quick):
    lost, took = [], []
    with lab_class()(idle="poll") as gateway:
        gateway.start()
        sink = _flooded(gateway, 5000)

        def window(act):
            first = len(sink.numbers)
            act()
            time.sleep(0.3)
            numbers = sink.numbers[first:]
            return max(numbers) - min(numbers) + 1 - len(numbers)
        quiet = window(lambda: time.sleep(2))
        for i in range(3 if quick else 8):
            gateway.rules = fillers(9998, 1000 + 100 * i) + ACCEPT
            gateway.write_config("/run/lab/next.toml")
            before = gateway.dataplane_count()[1]["snapshot_generation"]

            def apply():
                started = time.monotonic()
                gateway.sekisho("config", "apply", "/run/lab/next.toml", timeout=40)
                took.append(time.monotonic() - started)
            lost.append(window(apply))
            if gateway.dataplane_count()[1]["snapshot_generation"] == before:
                raise RuntimeError("the applied configuration did not reach the dataplane")
        gateway.stop()
    return summary(lost, "packets", note="10,000 rules applied in %.2g s (median) at 5,000 packets/s; lost in 2 s "
                   "without a swap: %d" % (statistics.median(took), quiet))


def _cpu(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_core_pct(quick):
    samples, control = [], []
    with lab_class()(idle="adaptive") as gateway:
        gateway.start()
        time.sleep(2)
        for _ in range(1 if quick else 5):
            t0, a, b = time.monotonic(), _cpu(gateway.dataplane.pid), _cpu(gateway.sekishod.pid)
            time.sleep(10)
            span = time.monotonic() - t0
            samples.append(100 * (_cpu(gateway.dataplane.pid) - a) / span)
            control.append(100 * (_cpu(gateway.sekishod.pid) - b) / span)
        gateway.stop()
    return summary(samples, "%", note="over 10 s, the dataplane; sekishod beside it %.2g %%" %
                   statistics.median(control))


def first_packet_us(quick):
    spans = []
    with lab_class()(idle="adaptive") as gateway:
        gateway.start()
        wire = gateway.wires[0]
        far = gateway.keep(FarEnd(wire.b, 7001))
        with wire.a:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        gateway.keep(udp)
        for i in range(30 if quick else 200):
            time.sleep(0.15)
            seen, sent = far.count, time.time()
            udp.sendto(b"after a silence", (wire.b.ip4, 7001))
            gateway.wait(lambda: far.count > seen, 2, "a packet")
            if i >= 3:  # the first ones resolve addresses
                spans.append((far.last - sent) * 1e6)
        gateway.stop()
    return summary(spans, "us", p99=percentile(spans, 99), note="p99 %.4g, one datagram after 150 ms of silence, "
                   "from sendto() to the far side's kernel" % percentile(spans, 99))


# Name: (function, seconds allowed for --quick, and in full)
MEASUREMENTS = {
    "vs_testpmd": (vs_testpmd, 60, 180), "vs_testpmd_unrecorded": (vs_testpmd_unrecorded, 60, 180), "vs_testpmd_1518": (vs_testpmd_1518, 60, 180),
    "vs_ovs_conntrack": (vs_ovs_conntrack, 75, 180),
    "veth_tcp_vs_testpmd": (veth_tcp_vs_testpmd, 60, 180), "veth_et_gbps": (veth_et_gbps, 150, 300),
    "obey_us": (obey_us, 35, 280),
    "cut_ms": (cut_ms, 40, 120), "swap_lost": (swap_lost, 60, 180), "idle_core_pct": (idle_core_pct, 25, 80),
    "first_packet_us": (first_packet_us, 25, 60), "paint_login_ms": (paint.paint_login_ms, 60, 90),
    "paint_map_ms": (paint.paint_map_ms, 60, 90),
    "api_cut_ms": (operations.api_cut_ms, 150, 300), "preview_s": (operations.preview_s, 90, 180),
    "console_cut_ms": (operations.console_cut_ms, 120, 300)}
NOT_IN_QUICK = {"paint_login_ms", "paint_map_ms", "api_cut_ms", "preview_s", "console_cut_ms"}
