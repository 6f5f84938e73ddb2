"""Medians, confidence intervals, lines and knees. Pure functions; no module beside Python's own."""
import math
import random


def median(values):
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def spread_pct(values):
    """Half the width between the quartiles, in percent of the median: how far a run strays."""
    ordered, middle = sorted(values), median(values)
    if len(ordered) < 2 or middle == 0:
        return 0.0
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    return 100 * (high - low) / 2 / abs(middle)


def ratio_interval(before, after, confidence=0.95, rounds=4000, seed=1):
    """(low, ratio, high): after / before of the medians, by bootstrap (Efron 1979; percentile interval)."""
    if len(before) < 3 or len(after) < 3 or median(before) == 0:
        return None
    random_ = random.Random(seed)
    ratios = []
    for _ in range(rounds):
        below = median(random_.choices(before, k=len(before)))
        if below != 0:
            ratios.append(median(random_.choices(after, k=len(after))) / below)
    ratios.sort()
    edge = (1 - confidence) / 2
    return (ratios[int(edge * len(ratios))], median(after) / median(before),
            ratios[min(len(ratios) - 1, int((1 - edge) * len(ratios)))])


def line(xs, ys):
    """(a, b, r2) of y = a + b x by least squares."""
    n = len(xs)
    if n < 2 or n != len(ys):
        raise ValueError("a line needs two points")
    mx, my = sum(xs) / n, sum(ys) / n
    sxx = sum((x - mx) ** 2 for x in xs)
    if sxx == 0:
        raise ValueError("all points have the same x")
    b = sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sxx
    a = my - b * mx
    total = sum((y - my) ** 2 for y in ys)
    rest = sum((y - a - b * x) ** 2 for x, y in zip(xs, ys))
    return a, b, 1.0 if total == 0 else 1 - rest / total


def knee(points, least_bend=0.15):
    """Where a curve over x > 0 (taken by its logarithm) bends: {"x", "before", "after", "text"} or None.

    Two lines that meet at one of the points are fitted for each inner point; the best pair counts if it leaves less
    than half of one line's error, and the slopes (per doubling of x) differ by `least_bend` of the median y.
    """
    points = sorted((x, y) for x, y in points if x > 0)
    if len(points) < 4:
        return None
    xs, ys = [math.log2(x) for x, _ in points], [y for _, y in points]

    def error(i, j):  # of one line over [i, j)
        a, b, _ = line(xs[i:j], ys[i:j])
        return sum((y - a - b * x) ** 2 for x, y in zip(xs[i:j], ys[i:j])), b
    whole, slope = error(0, len(xs))
    best = None
    for at in range(1, len(xs) - 1):
        left, before = error(0, at + 1)
        right, after = error(at, len(xs))
        if best is None or left + right < best[0]:
            best = (left + right, at, before, after)
    middle = abs(median(ys)) or 1.0
    bends = whole > (0.02 * middle) ** 2 * len(xs) and best[0] < 0.5 * whole and abs(best[3] - best[2]) > least_bend * middle
    if not bends:
        return None
    return {"x": points[best[1]][0], "before": best[2], "after": best[3]}


def shape(points, unit):
    """One sentence about a curve."""
    points = sorted(points)
    if len(points) < 2:
        return "one point"
    (x0, y0), (x1, y1) = points[0], points[-1]
    growth = "%.3g to %.3g %s from %s to %s" % (y0, y1, unit, short(x0), short(x1))
    bend = knee(points)
    if bend is None:
        ys = [y for _, y in points]
        if max(ys) - min(ys) <= 0.1 * (median(ys) or 1):
            return "flat: " + growth
        return "no knee: " + growth
    return "knee at %s: %+.3g %s a doubling before, %+.3g after; %s" % (
        short(bend["x"]), bend["before"], unit, bend["after"], growth)


def short(n):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(n) >= size:
            return "%.4g%s" % (n / size, unit)
    return "%.4g" % n
