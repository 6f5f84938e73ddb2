"""Plots as inline SVG: no script, no font, no request."""
import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 300, 64, 16, 14, 44
COLOURS = ("#1b6ca8", "#c0392b", "#2d8a4e", "#8e44ad", "#b9770e")


def _ticks(low, high, log):
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        every = max(1, (last - first) // 6)
        return [10.0 ** e for e in range(first, last + 1, every) if low * 0.999 <= 10.0 ** e <= high * 1.001] or [low, high]
    span = high - low or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(m for m in (1, 2, 5, 10) if span / (step * m) <= 6)
    first = math.ceil(low / step)
    return [i * step for i in range(first, int(math.floor(high / step + 1e-9)) + 1)]


def _number(n):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(n) >= size:
            return "%g%s" % (float("%.4g" % (n / size)), unit)
    return "%g" % float("%.4g" % n)


def plot(series, x, y, log_x=False, log_y=False, floor=True):
    """series: [(name, [(x, y) or (x, y, low, high), …])]. floor: the y axis begins at 0."""
    series = [(name, [p for p in points if not log_x or p[0] > 0]) for name, points in series]
    series = [(name, [p for p in points if not log_y or p[1] > 0]) for name, points in series]
    every = [p for _, points in series for p in points]
    if not every:
        return "<p>no points</p>"
    x0, x1 = min(p[0] for p in every), max(p[0] for p in every)
    lows, highs = [p[2] if len(p) > 3 else p[1] for p in every], [p[3] if len(p) > 3 else p[1] for p in every]
    y0, y1 = min(lows), max(highs)
    if log_y:
        y0 = max(min(p[1] for p in every), 1e-12)
    elif floor and y0 >= 0:
        y0, y1 = 0, y1 * 1.08 or 1
    if x0 == x1:
        x0, x1 = (x0 / 2, x1 * 2) if log_x and x0 > 0 else (x0 - 1, x1 + 1)
    if y0 == y1:
        y0, y1 = (y0 / 2, y1 * 2) if log_y else (y0 - 1, y1 + 1)

    def place(v, low, high, log, begin, end):
        v = min(max(v, low), high)
        at = (math.log(v / low) / math.log(high / low)) if log else (v - low) / (high - low)
        return begin + at * (end - begin)

    def px(v):
        return place(v, x0, x1, log_x, LEFT, WIDTH - RIGHT)

    def py(v):
        return place(v, y0, y1, log_y, HEIGHT - BOTTOM, TOP)
    out = ['<svg viewBox="0 0 %d %d" role="img" xmlns="http://www.w3.org/2000/svg">' % (WIDTH, HEIGHT)]
    for t in _ticks(x0, x1, log_x):
        out.append('<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (
            px(t), px(t), TOP, HEIGHT - BOTTOM, px(t), HEIGHT - BOTTOM + 16, _number(t)))
    for t in _ticks(y0, y1, log_y):
        out.append('<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>' % (
            LEFT, WIDTH - RIGHT, py(t), py(t), LEFT - 6, py(t) + 4, _number(t)))
    out.append('<text class="axis" x="%d" y="%d" text-anchor="middle">%s</text>' % ((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 8, html.escape(x)))
    out.append('<text class="axis" x="14" y="%d" text-anchor="middle" transform="rotate(-90 14 %d)">%s</text>' % (
        (TOP + HEIGHT - BOTTOM) // 2, (TOP + HEIGHT - BOTTOM) // 2, html.escape(y)))
    for i, (name, points) in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        for p in points:
            if len(p) > 3:
                out.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.45"/>' % (
                    px(p[0]), px(p[0]), py(p[2]), py(p[3]), colour))
        out.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (
            colour, " ".join("%.1f,%.1f" % (px(p[0]), py(p[1])) for p in points)))
        if len(points) <= 40:
            out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s: %s, %s</title></circle>' % (
                px(p[0]), py(p[1]), colour, html.escape(name), _number(p[0]), _number(p[1])) for p in points]
        if len(series) > 1:
            out.append('<text x="%d" y="%d" fill="%s">%s</text>' % (LEFT + 8, TOP + 14 + 15 * i, colour, html.escape(name)))
    return "".join(out) + "</svg>"


def exceedance(buckets, most=160):
    """[(value, share of values above it)] of [[high, count], …]: straight down is a hard limit, a tail runs right."""
    total = sum(count for _, count in buckets)
    points, left = [], total
    for high, count in buckets:
        left -= count
        points.append((max(high, 1), left / total))
    if points and points[-1][1] == 0:
        points[-1] = (points[-1][0], 0.5 / total)
    step = max(1, len(points) // most)
    return points[::step] + ([points[-1]] if points and (len(points) - 1) % step else [])
