"""A run's figures, curves and histograms: what the JSON file holds (docs/benchmarking.md has the schema)."""
import json
import os
import time

from stats import median, shape, spread_pct

SCHEMA = "sekisho-bench/1"


class Figures:
    def __init__(self, mode, machine):
        self.data = {"schema": SCHEMA, "mode": mode, "complete": False, "machine": machine, "warnings": [],
                     "started": time.time(), "seconds": 0.0, "figures": [], "curves": [], "histograms": [], "parts": [],
                     "selfcheck": [], "model": None}

    def add(self, name, group, title, unit, samples, better="lower", normal=None, note="", spread=True, **more):
        """better: lower, higher, or none (a fact, not a merit). normal: samples by the yardstick taken beside them.
        spread=False: a difference, of which a share of the median says nothing."""
        samples = [float(s) for s in samples]
        row = {"id": name, "group": group, "title": title, "unit": unit, "better": better, "samples": samples,
               "median": median(samples), "min": min(samples), "max": max(samples), "spread_pct": spread_pct(samples) if spread else None}
        if normal:
            row["normal"] = [float(s) for s in normal]
        if note:
            row["note"] = note
        row.update(more)
        self.data["figures"] = [r for r in self.data["figures"] if r["id"] != name] + [row]
        return row

    def curve(self, name, title, x, y, points, note="", log_x=True, **more):
        """points: [x, y] or [x, y, low, high]; y's unit is `y`."""
        row = {"id": name, "title": title, "x": x, "y": y, "log_x": log_x, "points": [list(map(float, p)) for p in points],
               "shape": shape([(p[0], p[1]) for p in points], y) if log_x else "", "note": note, **more}
        self.data["curves"] = [r for r in self.data["curves"] if r["id"] != name] + [row]
        return row

    def histogram(self, name, title, unit, told, note=""):
        """told: what Histogram::json gives."""
        row = {"id": name, "title": title, "unit": unit, "note": note, **told}
        self.data["histograms"] = [r for r in self.data["histograms"] if r["id"] != name] + [row]
        return row

    def check(self, name, passed, text):
        self.data["selfcheck"].append({"id": name, "passed": bool(passed), "text": text})

    def part(self, name, title, seconds, failed=None):
        row = {"id": name, "title": title, "seconds": round(seconds, 2)}
        if failed:
            row["failed"] = failed
        self.data["parts"].append(row)

    def find(self, name):
        return next((r for r in self.data["figures"] if r["id"] == name), None)

    def value(self, name):
        row = self.find(name)
        return None if row is None else row["median"]

    def save(self, path):
        """Whole or not at all."""
        beside = path + ".new"
        with open(beside, "w", encoding="utf-8") as out:
            json.dump(self.data, out, indent=1)
            out.write("\n")
        os.replace(beside, path)


def load(path):
    """A result file of any build; refuses what is none."""
    with open(path, encoding="utf-8") as text:
        data = json.load(text)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError("%s: not a result of sekisho bench (schema %s)" % (path, SCHEMA))
    for key in ("figures", "curves", "histograms"):
        if not isinstance(data.get(key), list):
            raise ValueError("%s: %s is missing" % (path, key))
    return data
