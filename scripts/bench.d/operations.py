"""People at work while the gateway is loaded: cuts over TLS, the preview, two actions in the console.

One wire carries the flows that are cut, another makes the events. Flows and events are made by processes of their
own, so that what they use is not taken from the clock of who measures.
"""
import json
import multiprocessing
import random
import socket
import statistics
import struct
import threading
import time

from micro import percentile, summary

FLOWS = 100_000
EVENTS = 20_000  # a second
CLIENTS = 50

CONFIG = """
[timeouts]
udp_single = "10s"
[limits]
flows_per_source = 524288
flows_per_zone_pair = 524288
[people]
[api]
listen = "127.0.0.1:8443"
connections_per_address = 200
"""
RULES = """
[[rule]]
name = "line"
from = "device"
to = "his"
service = { udp = 7001 }
action = "accept"
[[rule]]
name = "noise"
from = "office"
to = "lab"
service = { udp = [7777, 7778] }
action = "accept"
[ips]
files = ["/run/lab/noise.rules"]
new_signatures_detect_for = 0
"""
LINKS = """
[[link]]
name = "line"
zones = ["device", "his"]
[[link]]
name = "noise"
zones = ["office", "lab"]
ips = "detect"
"""
SIGNATURE = 'alert udp any any -> any 7778 (msg:"noise"; content:"ALERT"; classtype:attempted-recon; sid:9000001; rev:1;)\n'


def _frame(wire, source, source_port, destination_port, payload):
    """Ethernet, IPv4, UDP without a checksum."""
    import traffic
    udp = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source),
                     socket.inet_aton(wire.b.ip4))
    ip = ip[:10] + struct.pack("!H", traffic._checksum(ip)) + ip[12:]
    return traffic.mac_bytes(wire.b.mac) + traffic.mac_bytes(wire.a.mac) + b"\x08\x00" + ip + udp


class Sender:
    """Frames, round and round, at a steady rate; a process of its own. sent: how many until now."""

    def __init__(self, wire, frames, rate):
        with wire.a:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.bind(("eth0", 0))
        self._sent = multiprocessing.Value("Q", 0, lock=False)
        self._process = multiprocessing.Process(target=self._run, args=(frames, rate), daemon=True)
        self._process.start()

    def _run(self, frames, rate):
        send, count, begun = self._socket.send, 0, time.monotonic()
        while True:
            due = int((time.monotonic() - begun) * rate)
            for i in range(count, due):
                try:
                    send(frames[i % len(frames)])
                except OSError:  # the queue of the veth is full
                    time.sleep(0.001)
            count = max(count, due)
            self._sent.value = count
            time.sleep(0.002)

    @property
    def sent(self):
        return self._sent.value

    def close(self):
        self._process.kill()
        self._process.join()
        self._socket.close()


def _flows(wire, count):
    """So many flows of two clients."""
    return [_frame(wire, source, 10000 + port, 7001, b"a flow of many")
            for port in range(count // 2) for source in ("10.%d.0.1" % wire.number, "10.%d.0.101" % wire.number)]


def _noise(wire):
    """Of ten frames eight begin a flow (its end is an event), one is denied, one is alerted; no flow comes again in 10 s."""
    plan, ports = [], 0
    while ports < 800_000:
        for _ in range(8):
            plan.append(_frame(wire, "10.%d.%d.%d" % (wire.number, 1 + ports // 50000, 1 + ports % 7), 10000 + ports % 50000,
                               7777, b"noise"))
            ports += 1
        plan.append(_frame(wire, "10.%d.0.7" % wire.number, 9, 7002, b"denied"))
        plan.append(_frame(wire, "10.%d.0.8" % wire.number, 9, 7778, b"ALERT"))
    return plan


class Client:
    """Keeps asking over one TLS connection, as somebody with a page open does; thread of its own."""
    PATHS = ("/v1/overview", "/v1/status", "/v1/events?limit=50", "/v1/incidents?limit=50")

    def __init__(self, cookie, took, failed):
        from front import Browser
        self._browser = Browser(keep=True)
        self._browser.cookie = cookie
        self._took, self._failed = took, failed
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        time.sleep(random.random())
        turn = 0
        while True:
            begun = time.monotonic()
            try:
                status = self._browser.get(self.PATHS[turn % len(self.PATHS)]).status
            except OSError:
                status, self._browser._connection = 0, None
            if status != 200:
                self._failed.append(status)
            self._took.append(time.monotonic() - begun)
            turn += 1
            time.sleep(max(0.0, 1.0 - (time.monotonic() - begun)))


def _clients(cookie, pipe):
    took, failed = [], []
    for _ in range(CLIENTS):
        Client(cookie, took, failed)
    while True:
        pipe.recv()
        pipe.send((list(took), list(failed)))


class Clients:
    def __init__(self, cookie):
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_clients, args=(cookie, theirs), daemon=True)
        self._process.start()

    def counts(self):
        self._pipe.send(None)
        return self._pipe.recv()

    def close(self):
        self._process.kill()
        self._process.join()


def _lab(kind):
    from lab import Wire

    class Operations(kind):
        def __init__(self):
            super().__init__(wires=[Wire(1, "line", "device", "his"), Wire(2, "noise", "office", "lab")], links=LINKS,
                             rules=RULES, gateway="max_flows = 524288", people=CONFIG)

        def config_text(self):
            return super().config_text().replace("memory_mb = 256", "memory_mb = 1024")

        def start(self):
            with open("/run/lab/noise.rules", "w", encoding="ascii") as out:
                out.write(SIGNATURE)
            super().start()

        def explain(self):
            """The failure says enough."""

        def load(self, rate, flows):
            """Flows on `line`, each seen every flows / rate seconds; what comes is read on the far side."""
            from world import FarEnd
            line = self.wire("line")
            with line.b:
                self._sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self._sink.bind(("0.0.0.0", 7001))
            self.sender = self.keep(Sender(line, _flows(line, flows), rate))
            self.far = self.keep(FarEnd(line.b, 7001))
            self.wait_flows(flows)

        def wait_flows(self, flows):
            self.wait(lambda: self.status()["dataplane"]["flows_live"] >= flows, 60, "%d flows" % flows, pause=0.2)

        def make_events(self):
            noise = self.wire("noise")
            with noise.b:
                self._sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            for sink, port in zip(self._sinks, (7777, 7778)):
                sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sink.bind(("0.0.0.0", port))
            self.noise = self.keep(Sender(noise, _noise(noise), EVENTS))

        def passes(self):
            seen = self.far.count
            self.wait(lambda: self.far.count > seen + 100, 20, "the flows to pass again")

        def drained(self):
            """(when, events drained, lost: in the rings, by the log, by the store)"""
            from world import _Unix

            def ask(path):
                connection = _Unix("/run/sekisho/api.sock")
                connection.request("GET", path)
                answer = json.loads(connection.getresponse().read())
                connection.close()
                return answer
            now, status, stored = time.monotonic(), ask("/v1/status"), ask("/v1/events?limit=1")["store"]
            return now, status["events"]["drained"], (status["dataplane"]["events_lost"], status["events"]["lines_lost"],
                                                      stored["lost"])
    return Operations()


def api_cut_ms(quick):
    """Cuts over TLS by an operator while 50 clients poll and 20,000 events a second are made and stored."""
    from front import FrontLab
    answers, spans, unconfirmed = [], [], 0
    with _lab(FrontLab) as gateway:
        operator = gateway.person("tanaka", "operator")
        operator.keep = True
        gateway.load(5000, 20000)
        gateway.make_events()
        clients = gateway.keep(Clients(operator.cookie))
        gateway.wait(lambda: len(clients.counts()[0]) > CLIENTS, 20, "the clients to poll", pause=0.5)
        time.sleep(12)  # the first flows have ended: from here on each frame of the noise is an event
        t0, first, lost0 = gateway.drained()
        polled0 = len(clients.counts()[0])
        for _ in range(30 if quick else 100):
            gateway.passes()
            called, clock = time.time(), time.monotonic()
            receipt = operator.post("/v1/cut", {"target": "line", "reason": "bench"})
            answers.append((time.monotonic() - clock) * 1e3)
            time.sleep(0.3)
            if receipt.status != 200:
                raise RuntimeError("cut: HTTP %d: %s" % (receipt.status, receipt.text[:200]))
            unconfirmed += receipt.json["outcome"] != "CONFIRMED"
            spans.append(max(0.0, gateway.far.last - called) * 1e3)
            undone = operator.post("/v1/undo")
            if undone.status != 200:
                raise RuntimeError("undo: HTTP %d: %s" % (undone.status, undone.text[:200]))
        t1, last, lost1 = gateway.drained()
        polls, failed = clients.counts()
    rate = (last - first) / (t1 - t0)
    lost = [b - a for a, b in zip(lost0, lost1)]
    out = summary(answers, "ms", p99=percentile(answers, 99), unconfirmed=unconfirmed, lost=sum(lost),
                  events_per_second=rate, polls_failed=len(failed))
    polls = polls[polled0:]
    out["note"] = ("p99 %.3g ms to the receipt, last packet on the far side p99 %.3g ms (median %.3g); %d cuts, %d unconfirmed; "
                   "%.0f events/s, lost %d in the rings, %d by the log, %d by the store; %d clients made %.0f requests/s (median %.3g ms, p99 %.3g ms, %d failed)" % (
                       out["p99"], percentile(spans, 99), statistics.median(spans), len(spans), unconfirmed, rate,
                       *lost, CLIENTS, len(polls) / (t1 - t0), 1e3 * statistics.median(polls),
                       1e3 * percentile(polls, 99), len(failed)))
    return out


def preview_s(quick):
    """`sekisho cut line --dry-run`, from before its process to its end, with 100,000 live flows under load."""
    from front import FrontLab
    took, listed = [], 0
    with _lab(FrontLab) as gateway:
        gateway.load(20000, FLOWS)
        for _ in range(8 if quick else 30):
            begun = time.monotonic()
            answer = gateway.json("cut", "line", "--dry-run")
            took.append(time.monotonic() - begun)
            listed = max(listed, answer["flows"])
            if answer["flows"] < FLOWS:
                raise RuntimeError("the preview counts %d flows" % answer["flows"])
    return summary(took, "s", note="%d flows counted" % listed)


def console_cut_ms(quick):
    """From before the second action in Chromium (the driver's way to it is in it) to the last packet on the far side."""
    import paint
    paint.needs()
    from chromium import ConsoleLab
    spans, shown = [], []
    with _lab(ConsoleLab) as gateway:
        page = gateway.browser.open("one")
        page.log_in(gateway.person("tanaka", "operator"))
        gateway.load(20000, FLOWS)
        page.wait(at="[data-link=line]")
        for _ in range(12 if quick else 40):
            gateway.wait_flows(FLOWS)
            page.click(at="[data-cut]")
            page.wait(at="button.cut[data-target=line]")
            called, clock = time.time(), time.monotonic()
            page.click(at="button.cut[data-target=line]")
            page.wait(at=".receipt[data-outcome=CONFIRMED]")
            shown.append((time.monotonic() - clock) * 1e3)
            time.sleep(0.3)
            spans.append(max(0.0, gateway.far.last - called) * 1e3)
            page.click(at="dialog .undo button")
            page.wait(at=".band.cut", gone=True)
            page.press(key="Escape")
    return summary(spans, "ms", p99=percentile(spans, 99),
                   note="p99 %.3g; receipt on the screen after %.3g ms (median; at most %.3g); %d cuts" % (
                       percentile(spans, 99), statistics.median(shown), max(shown), len(spans)))
