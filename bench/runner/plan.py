"""Parts of a run in order, with a bar, the time that is left, a limit, and a clean end when interrupted."""
import signal
import sys
import time


class Interrupted(Exception):
    """Ctrl-C or SIGTERM: the parts that are done are reported."""


class Plan:
    def __init__(self, figures, limit=None, out=sys.stderr):
        """limit: seconds for all parts; one that would not fit is left out and named."""
        self._figures, self._limit, self._out = figures, limit, out
        self._parts = []
        self._line = ""

    def add(self, name, title, seconds, function):
        """seconds: what it takes on a quiet machine."""
        self._parts.append((name, title, seconds, function))

    def _show(self, done, whole, title, left):
        width = 24
        full = int(width * done / max(whole, 1e-9))
        text = "[%s%s] %3d %%  %s" % ("#" * full, "-" * (width - full), 100 * done / max(whole, 1e-9), title)
        text += "" if left is None else "  (about %d:%02d left)" % (left // 60, left % 60)
        if self._out.isatty():
            self._out.write("\r" + text.ljust(len(self._line)))
            self._line = text
        elif text.split("  (")[0] != self._line:
            self._line = text.split("  (")[0]
            self._out.write(text + "\n")
        self._out.flush()

    def run(self):
        """True: everything was done. False: interrupted, or parts were left out or failed."""
        def stop(*_):
            raise Interrupted()
        before = [(s, signal.signal(s, stop)) for s in (signal.SIGINT, signal.SIGTERM)]
        started, whole, done, well, pace = time.monotonic(), sum(p[2] for p in self._parts), 0.0, True, 1.0
        try:
            for name, title, seconds, function in self._parts:
                passed = time.monotonic() - started
                if done > 0:
                    pace = max(passed / done, 0.2)
                self._show(done, whole, title, (whole - done) * pace)
                if self._limit is not None and passed + seconds * min(pace, 2) > self._limit:
                    self._figures.part(name, title, 0, "left out: no time left (limit %d s)" % self._limit)
                    well, done = False, done + seconds
                    continue
                begun, failed = time.monotonic(), None
                try:
                    function()
                except Interrupted:
                    raise
                except Exception as why:  # a part of its own: the others go on, nothing is made up
                    failed = " ".join(("%s: %s" % (type(why).__name__, why)).split())[:400]
                    well = False
                self._figures.part(name, title, time.monotonic() - begun, failed)
                done += seconds
        except Interrupted:
            for s, _ in before:  # a second one while the report is written does no harm
                signal.signal(s, signal.SIG_IGN)
            self._figures.data["warnings"].append("interrupted: only the parts listed were measured")
            well = False
        finally:
            if self._out.isatty():
                self._out.write("\r" + " " * len(self._line) + "\r")
            self._figures.data["seconds"] = time.monotonic() - started
        for s, handler in before:
            signal.signal(s, handler)
        self._figures.data["complete"] = well
        return well
