"""What became slower between two runs, and how sure that is."""
from stats import ratio_interval


def judge(before, after, threshold):
    """One figure: {"id", "title", "unit", "before", "after", "ratio", "low", "high", "verdict"}; ratio > 1: worse.

    A change counts if the whole interval lies beyond the threshold: of the samples as measured, and, where both runs have
    them, of the samples by the yardstick that was measured beside them. A machine that was slower as a whole moves
    the first alone, a yardstick that was disturbed the second alone.
    """
    def worse(a, b):  # as a ratio > 1
        interval = ratio_interval(a, b)
        if interval is None or interval[0] <= 0:
            return None
        low, ratio, high = interval
        return interval if before["better"] == "lower" else (1 / high, 1 / ratio, 1 / low)
    row = {"id": before["id"], "title": "%s: %s" % (before["group"], before["title"]), "unit": before["unit"],
           "before": before["median"], "after": after["median"]}
    intervals = [worse(before["samples"], after["samples"])]
    if before.get("normal") and after.get("normal"):
        intervals.append(worse(before["normal"], after["normal"]))
    if any(i is None for i in intervals):
        return dict(row, verdict="too few samples")
    # The most careful one is shown: the one whose near end is nearest to no change.
    low, ratio, high = min(intervals, key=lambda i: abs(i[1] - 1))
    row.update(low=low, ratio=ratio, high=high)
    if all(i[0] > 1 + threshold for i in intervals):
        return dict(row, verdict="REGRESSION")
    if all(i[2] < 1 / (1 + threshold) for i in intervals):
        return dict(row, verdict="improved")
    return dict(row, verdict="no change shown")


def compare(a, b, threshold=0.05):
    """Rows for all figures that both results have and that have a better side; and warnings."""
    before = {r["id"]: r for r in a["figures"]}
    rows = [judge(before[r["id"]], r, threshold) for r in b["figures"]
            if r["id"] in before and r["better"] in ("lower", "higher") and before[r["id"]]["unit"] == r["unit"]]
    warnings = []
    for key in ("cpu", "cores", "kernel", "memory", "huge_pages"):
        if a["machine"].get(key) != b["machine"].get(key):
            warnings.append("not the same machine: %s is %s and %s" % (key, a["machine"].get(key), b["machine"].get(key)))
    if a["mode"] != b["mode"]:
        warnings.append("%s against %s" % (a["mode"], b["mode"]))
    for name, data in (("first", a), ("second", b)):
        if not data["complete"]:
            warnings.append("the %s run is partial" % name)
    return rows, warnings


def as_text(rows, warnings, threshold):
    out = ["warning: " + w for w in warnings]
    for r in rows:
        if "ratio" in r:
            out.append("%-15s %-60s %8.4g → %8.4g %-6s  %.3f × (%.3f to %.3f)" % (
                r["verdict"], r["title"][-60:], r["before"], r["after"], r["unit"], r["ratio"], r["low"], r["high"]))
        else:
            out.append("%-15s %-60s %8.4g → %8.4g %s" % (r["verdict"], r["title"][-60:], r["before"], r["after"], r["unit"]))
    bad = sum(r["verdict"] == "REGRESSION" for r in rows)
    out.append("%d figures compared, %d worse by more than %.3g %% (95 %% interval, bootstrap; ratio above 1: slower)" % (
        len(rows), bad, 100 * threshold))
    return "\n".join(out)
