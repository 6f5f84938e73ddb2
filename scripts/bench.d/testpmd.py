"""dpdk-testpmd, io forwarding, one forwarding core: the yardstick.

Line-buffered: its statistics are read as it runs.
"""
import re
import subprocess
import threading
import time


class Testpmd:
    def __init__(self, devices):
        command = ["stdbuf", "-oL", "dpdk-testpmd", "-l", "0,1", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "1024",
                   "--log-level=*:error"]
        for device in devices:
            command += ["--vdev", device]
        command += ["--", "-i", "--forward-mode=io", "--nb-cores=1", "--total-num-mbufs=65536"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.pid = self._process.pid  # stdbuf becomes testpmd
        self._ports = len(devices)
        self._text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait(lambda: "testpmd>" in self._text, 20, "start")
        self._say("start")

    def _read(self):
        while True:
            piece = self._process.stdout.read(1)
            if not piece:
                return
            self._text += piece

    def _say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _wait(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if self._process.poll() is not None or time.monotonic() > end:
                tail = self._text[-300:]
                self.close()
                raise RuntimeError("testpmd: %s: %s" % (what, " ".join(tail.split())))
            time.sleep(0.002)

    def received(self):
        """(when, packets received by all ports)"""
        at = len(self._text)
        now = time.monotonic()
        self._say("show port stats all")
        self._wait(lambda: self._text[at:].count("Tx-pps") >= self._ports, 10, "no statistics")
        return now, sum(int(n) for n in re.findall(r"RX-packets:\s*(\d+)", self._text[at:]))

    def close(self):
        if self._process.poll() is None:
            try:
                self._say("quit")
                self._process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
