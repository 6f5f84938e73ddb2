"""Open vSwitch on DPDK with a stateful pipeline, one polling thread: the other yardstick.

REQUIRES: a private world (scripts/bench --inside): its files are in RUN, its processes end with it.
"""
import os
import re
import subprocess
import time

RUN = "/run/lab/ovs"
# Debian installs both; the alternative that `ovs-vswitchd` points to may be the one without DPDK.
VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def installed():
    return os.access(VSWITCHD, os.X_OK) and os.path.exists(SCHEMA)


def pipeline(fillers):
    """A connection is let in from either side, replies belong to it, the rest is dropped; and `fillers` rules for
    others before that, as the gateway has them."""
    flows = ["table=0,priority=10,ip,actions=ct(table=1)", "table=0,priority=0,actions=drop",
             "table=1,priority=30,ip,ct_state=+inv,actions=drop"]
    for here, there in ((1, 2), (2, 1)):
        flows += ["table=1,priority=20,ip,in_port=%d,ct_state=+trk+est,actions=output:%d" % (here, there),
                  "table=1,priority=10,ip,in_port=%d,ct_state=+trk+new,actions=ct(commit),output:%d" % (here, there)]
    for i in range(fillers):
        flows.append("table=1,priority=15,tcp,in_port=1,ct_state=+trk+new,nw_dst=10.99.%d.%d,tp_dst=%d,"
                     "actions=ct(commit),output:2" % (i // 250, 1 + i % 250, 1 + i % 50))
    return flows


class Ovs:
    def __init__(self, devices, fillers=98, core=1, queues=1):
        """devices: DPDK device strings, as the gateway's. queues: to receive, of each."""
        self._queues = queues
        os.makedirs(RUN)
        self._processes = []
        self._environment = dict(os.environ, OVS_RUNDIR=RUN, OVS_LOGDIR=RUN, OVS_DBDIR=RUN, OVS_SYSCONFDIR=RUN)
        try:
            self._start(devices, fillers, core)
        except Exception:
            self.close()
            raise

    def _run(self, *words, timeout=20, text=None):
        done = subprocess.run(words, env=self._environment, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (words[0], " ".join(done.stderr.split())[-300:]))
        return done.stdout

    def _daemon(self, *words):
        with open(RUN + "/%s.out" % os.path.basename(words[0]), "wb") as out:
            process = subprocess.Popen(words, env=self._environment, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=out, cwd=RUN)
        self._processes.append(process)
        return process

    def _vsctl(self, *words, timeout=30):
        return self._run("ovs-vsctl", "--db=unix:%s/db.sock" % RUN, "--timeout=%d" % (timeout - 5), *words,
                         timeout=timeout)

    def _start(self, devices, fillers, core):
        self._run("ovsdb-tool", "create", RUN + "/conf.db", SCHEMA)
        self._daemon("ovsdb-server", RUN + "/conf.db", "--remote=punix:%s/db.sock" % RUN,
                     "--unixctl=%s/db.ctl" % RUN, "--no-chdir")
        end = time.monotonic() + 10
        while not os.path.exists(RUN + "/db.sock"):
            if time.monotonic() > end:
                raise RuntimeError("ovsdb-server does not start")
            time.sleep(0.02)
        self._vsctl("--no-wait", "init")
        self._vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                    "other_config:dpdk-extra=--no-huge --legacy-mem --no-pci --no-telemetry -m 1024 -l 0",
                    "other_config:pmd-cpu-mask=0x%x" % (1 << core))
        self.pid = self._daemon(VSWITCHD, "unix:%s/db.sock" % RUN, "--unixctl=%s/vswitchd.ctl" % RUN, "--no-chdir",
                                "--log-file=%s/vswitchd.log" % RUN).pid
        words = ["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=secure"]
        for i, device in enumerate(devices):
            words += ["--", "add-port", "br0", "p%d" % i, "--", "set", "Interface", "p%d" % i, "type=dpdk",
                      "ofport_request=%d" % (i + 1), "options:dpdk-devargs=%s" % device, "options:n_rxq=%d" % self._queues]
        self._vsctl(*words)
        for i in range(len(devices)):
            error = self._vsctl("get", "Interface", "p%d" % i, "error").strip()
            if error not in ("[]", '""'):
                raise RuntimeError("Open vSwitch: port %d: %s" % (i, error))
        self._run("ovs-ofctl", "add-flows", RUN + "/br0.mgmt", "-", text="\n".join(pipeline(fillers)) + "\n")

    def counts(self):
        """(when, packets received, packets sent) by all ports."""
        now = time.monotonic()
        text = self._run("ovs-ofctl", "dump-ports", RUN + "/br0.mgmt")
        return now, *(sum(int(n) for n in re.findall(r"%s pkts=(\d+)" % way, text)) for way in ("rx", "tx"))

    def connections(self):
        """Entries of its connection table."""
        return int(self._run("ovs-appctl", "-t", RUN + "/vswitchd.ctl", "dpctl/ct-get-nconns"))

    def close(self):
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # A second run in the same world starts afresh.
        subprocess.run(["rm", "-rf", RUN], check=False)
