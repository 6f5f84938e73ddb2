"""A gateway with its neighbours: namespaces, both daemons, clients and servers. See the *_test.py for its use.

The runner gives every test a private mount, network and PID namespace, so the daemons use the paths that
they use on a real machine (/run/sekisho, /var/lib/sekisho, /sys/fs/bpf), the gateway's interfaces live in the
test's own network namespace, and all of it vanishes with the test, however that ends.
"""
import json
import os
import shutil
import signal
import subprocess
import time

import traffic
from netns import Host

BUILD = os.environ.get("SEKISHO_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
CONFIG = "/run/lab/sekisho.toml"


class Wire:
    """Two hosts on one wire: `a` in zone `zone_a`, `b` in zone `zone_b`, both in 10.<number>.0.0/24."""

    def __init__(self, number, name, zone_a, zone_b, driver="net_af_xdp", vlan=None, mtu=1500):
        self.number, self.name, self.zone_a, self.zone_b = number, name, zone_a, zone_b
        self.driver, self.vlan, self.mtu = driver, vlan, mtu
        self.a = self.b = None

    def lay(self):
        def host(side, last):
            name = "%s-%s" % (self.name[:8], side)
            return Host(name, "02:00:0a:%02x:00:%02x" % (self.number, last), "10.%d.0.%d" % (self.number, last),
                        "fd00:%x::%x" % (self.number, last), "g%d%s" % (self.number, side), self.mtu)
        self.a, self.b = host("a", 1), host("b", 2)

    def toml(self, checksums):
        text = ""
        for host, zone in ((self.a, self.zone_a), (self.b, self.zone_b)):
            port = host.gateway_interface
            text += '[[port]]\nname = "%s"\ndevice = "%s,iface=%s"\nchecksums = "%s"\n' % (
                port, self.driver, port, checksums)
            text += '[[interface]]\nname = "i-%s"\nport = "%s"\nzone = "%s"\n' % (port, port, zone)
            if self.vlan is not None:
                text += "vlan = %s\n" % json.dumps(self.vlan)
        return text + '[[wire]]\nname = "%s"\nsides = ["i-%s", "i-%s"]\n' % (
            self.name, self.a.gateway_interface, self.b.gateway_interface)


def default_wires():
    return [Wire(1, "clinical", "device", "his"), Wire(2, "maint", "vendor", "his")]


DEFAULT_LINKS = """
[[link]]
name = "device-his"
zones = ["device", "his"]
clinical = true
[[link]]
name = "vendor"
zones = ["vendor", "his"]
"""

# What the tests speak: echo on 7000 and the flood on 7001 in both directions of both links, ping; 7002 is denied.
DEFAULT_RULES = """
[services]
echo = { tcp = 7000, udp = [7000, 7001] }
ping = { icmp = "echo", icmpv6 = "echo" }
[[rule]]
name = "devices to his"
from = "device"
to = "his"
service = ["echo", "ping"]
action = "accept"
[[rule]]
name = "vendor to his"
from = "vendor"
to = "his"
service = ["echo", "ping"]
action = "accept"
[[rule]]
name = "tell them"
from = "vendor"
to = "his"
service = { tcp = 7023 }
action = "reject"
"""


class Lab:
    def __init__(self, wires=None, links=DEFAULT_LINKS, rules=DEFAULT_RULES, gateway="", extra="", start=True,
                 checksums="verify"):
        self.wires = wires if wires is not None else default_wires()
        self._links, self._gateway, self._extra, self._checksums = links, gateway, extra, checksums
        self._start = start
        self.rules = rules
        self.sekishod_options = ()
        self.sekishod_environment = None
        self.dataplane = self.sekishod = None
        self._closing = []
        self._log = {}

    def __enter__(self):
        for wire in self.wires:
            wire.lay()
        self.write_config()
        if self._start:
            self.start()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.explain()
        for one in reversed(self._closing):
            one.close()
        for process in (self.sekishod, self.dataplane):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def wire(self, name):
        return next(w for w in self.wires if w.name == name)

    def keep(self, one):
        """Closes `one` with the lab."""
        self._closing.append(one)
        return one

    # --- configuration

    def config_text(self):
        zones = []
        for wire in self.wires:
            for zone in (wire.zone_a, wire.zone_b):
                if zone not in zones:
                    zones.append(zone)
        kinds = {"vendor": '\nkind = "vendor"', "internet": '\nkind = "internet"'}
        text = '[gateway]\nname = "lab"\nworkers = 1\nidle = "adaptive"\nhugepages = false\nmemory_mb = 256\n'
        text += "max_flows = 16384\n" if "max_flows" not in self._gateway else ""
        text += self._gateway + "\n"
        text += "".join('[[zone]]\nname = "%s"%s\n' % (zone, kinds.get(zone, "")) for zone in zones)
        text += "".join(wire.toml(self._checksums) for wire in self.wires)
        return text + self._links + self.rules + self._extra

    def write_config(self, path=CONFIG):
        with open(path, "w", encoding="utf-8") as out:
            out.write(self.config_text())

    # --- processes

    def _spawn(self, name, *arguments, environment=None):
        log = open("/var/log/sekisho/%s.log" % name, "ab")
        process = subprocess.Popen([os.path.join(BUILD, name), *arguments], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True, env=environment)
        log.close()
        return process

    def start_dataplane(self):
        self.dataplane = self._spawn("sekisho-dataplane")
        return self.dataplane

    def start_sekishod(self):
        self.sekishod = self._spawn("sekishod", "--config", CONFIG, *self.sekishod_options,
                                    environment=self.sekishod_environment)
        return self.sekishod

    def start(self):
        self.start_dataplane()
        self.start_sekishod()
        self.wait_ready()

    def kill(self, process):
        """kill -9, and gone."""
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)

    def forget_all_but_the_disk(self):
        """As a reboot does: no process, no pinned map, no words, no region."""
        self.kill(self.sekishod)
        self.kill(self.dataplane)
        for folder, _, names in os.walk("/sys/fs/bpf"):
            for name in names:
                if name.startswith("sekisho"):
                    os.unlink(os.path.join(folder, name))
        shutil.rmtree("/run/sekisho")

    def wait_ready(self, timeout=60.0):
        """Both daemons run and agree on a policy."""
        def ready():
            for name, process in (("sekishod", self.sekishod), ("sekisho-dataplane", self.dataplane)):
                if process is not None and process.poll() is not None:
                    raise AssertionError("%s ended with %s" % (name, process.returncode))
            status = self.status()
            return status is not None and self.is_running(status)
        self.wait(ready, timeout, "the gateway to be ready")

    @staticmethod
    def is_running(status):
        dataplane = status.get("dataplane", {})
        return bool(dataplane.get("connected")) and all(p["link_up"] for p in dataplane.get("ports", []))

    # --- the command line

    def sekisho(self, *arguments, timeout=20, check=True):
        """Runs the command line; returns (exit code, standard output, standard error)."""
        done = subprocess.run([os.path.join(BUILD, "sekisho"), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
        print("$ sekisho %s -> %d\n%s%s" % (" ".join(arguments), done.returncode, done.stdout, done.stderr))
        if check:
            assert done.returncode == 0, "sekisho %s: exit %d: %s" % (" ".join(arguments), done.returncode,
                                                                     done.stderr)
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments, **options):
        return json.loads(self.sekisho(*arguments, "--json", **options)[1])

    def status(self):
        try:
            done = subprocess.run([os.path.join(BUILD, "sekisho"), "status", "--json"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=5)
            return json.loads(done.stdout) if done.returncode == 0 else None
        except (subprocess.TimeoutExpired, ValueError):
            return None

    # --- waiting and explaining

    @staticmethod
    def wait(condition, timeout, what, pause=0.05):
        end = time.monotonic() + timeout
        while True:
            if condition():
                return
            if time.monotonic() > end:
                raise AssertionError("waited %g s for %s" % (timeout, what))
            time.sleep(pause)

    def wait_passes(self, source, address, port, timeout=5.0, what=None):
        self.wait(lambda: traffic.tcp_passes(source, address, port, timeout=0.5), timeout,
                  what or "%s to reach %s:%d" % (source.name, address, port))

    def explain(self):
        print("--- configuration\n%s" % self.config_text())
        for command in ("status", "drops"):
            try:
                self.sekisho(command, check=False, timeout=5)
            except subprocess.TimeoutExpired:
                print("sekisho %s does not answer" % command)
        for name in ("sekisho-dataplane", "sekishod"):
            path = "/var/log/sekisho/%s.log" % name
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as log:
                    print("--- %s\n%s" % (path, log.read()[-8000:]))
