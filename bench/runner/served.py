"""The programs of a build or an installation, and the measuring programs as servers of their standard input."""
import json
import os
import select
import subprocess
import time

HERE = os.path.dirname(os.path.realpath(__file__))
# As installed, and where meson leaves them in a build.
PLACES = {"sekisho": ("bin", "control/cli"), "sekishod": ("sbin", "control/daemon"),
          "sekisho-dataplane": ("sbin", "dataplane/io"), "sekisho-bench-loop": ("libexec/sekisho", "dataplane/io"),
          "sekisho-bench-traffic": ("libexec/sekisho", "dataplane/io")}


class Missing(RuntimeError):
    """A program or a device that a measurement needs is not there."""


class Programs:
    """REQUIRES: `sekisho`, the path of the command line that runs this."""

    def __init__(self, sekisho):
        self.sekisho = os.path.realpath(sekisho)
        self.root = os.path.dirname(os.path.dirname(self.sekisho))
        self.built = os.path.basename(os.path.dirname(self.sekisho)) == "cli"
        if self.built:
            self.root = os.path.dirname(self.root)

    def path(self, name):
        path = os.path.join(self.root, PLACES[name][1 if self.built else 0], name)
        if not os.access(path, os.X_OK):
            raise Missing("%s is not there (%s)" % (name, path))
        return path

    def snapshot(self, config, out, *more, timeout=300):
        done = subprocess.run([self.sekisho, "bench", "snapshot", "--config", config, "--out", out, *more],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError("the configuration does not compile: %s" % " ".join(done.stderr.split())[-300:])
        return json.loads(done.stdout.strip().split("\n")[-1])


class Served:
    """One of the measuring programs. Answers come in order; an error is raised."""

    def __init__(self, command, log=None):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=log or subprocess.DEVNULL, start_new_session=True)
        self._rest = b""

    @property
    def pid(self):
        return self._process.pid

    def say(self, request, **words):
        text = request + "".join(" %s=%s" % (k, ("%.10g" % v if isinstance(v, float) else v)) for k, v in words.items())
        try:
            self._process.stdin.write(text.encode() + b"\n")
            self._process.stdin.flush()
        except OSError as gone:
            raise RuntimeError("the measuring program ended (%s)" % self._process.poll()) from gone

    def hear(self, timeout=120.0):
        end = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            if left <= 0:
                raise RuntimeError("the measuring program does not answer in %d s" % timeout)
            ready, _, _ = select.select([self._process.stdout], [], [], left)
            if ready:
                more = os.read(self._process.stdout.fileno(), 1 << 16)
                if not more:
                    raise RuntimeError("the measuring program ended (%s)" % self._process.wait(5))
                self._rest += more
        line, self._rest = self._rest.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask(self, request, timeout=120.0, **words):
        self.say(request, **words)
        return self.hear(timeout)

    def close(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
