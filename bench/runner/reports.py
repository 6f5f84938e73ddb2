"""One run as a page that stands alone (HTML, inline SVG), and as Markdown."""
import html
import time

import svg

STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--paper:#fff;--line:#d5dde5;--soft:#f3f6f9;--warn:#8a4b00;--bad:#b3261e;--good:#1e7a3c}
@media (prefers-color-scheme:dark){:root{--ink:#dce5ee;--paper:#12181f;--line:#36424e;--soft:#1b242d;--warn:#f0b65a;--bad:#ff8a80;--good:#7bd694}}
body{font:15px/1.5 system-ui,"Noto Sans",sans-serif;color:var(--ink);background:var(--paper);max-width:1180px;margin:0 auto;padding:1.5rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid var(--line)}table{border-collapse:collapse;width:100%}
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.warn{color:var(--warn)}.bad{color:var(--bad)}.good{color:var(--good)}.note{color:var(--warn);font-size:.85em}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1.2rem}figure{margin:0;background:var(--soft);padding:.8rem;border-radius:6px}
figcaption{font-weight:600;font-size:.95em}figcaption small{display:block;font-weight:400}svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--ink)}
svg .grid{stroke:var(--line)}svg .axis{font-size:12px}
"""


def number(value):
    if value == int(value) and abs(value) < 1e6:
        return "%d" % value
    return "%.0f" % value if abs(value) >= 1000 else "%.3g" % value


def spread(row):
    return "" if len(row["samples"]) < 2 or row["spread_pct"] is None else "±%.1f %%" % row["spread_pct"]


def groups(data):
    """{group: rows}, ratios first, in the order in which they were measured."""
    out = {}
    for row in sorted(data["figures"], key=lambda r: r["unit"] != "ratio"):
        out.setdefault(row["group"], []).append(row)
    return out


def verdict(data):
    if data["mode"] == "selfcheck":
        return "self-check"
    return "complete" if data["complete"] else "partial: not every part was measured"


def as_html(data):
    e = html.escape
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(data["started"]))
    out = ["<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
           "<title>Sekisho benchmark %s</title><style>%s</style>" % (e(when), STYLE),
           "<h1>Sekisho benchmark: %s</h1><p>%s, %s, took %d s. <b id=verdict>%s</b></p>" % (
               e(data["mode"]), e(when), e(data["machine"].get("sekisho", "")), data["seconds"], e(verdict(data)))]
    if data["warnings"]:
        out.append("<h2>How quiet it was</h2><ul class=warn>%s</ul>" % "".join("<li>%s" % e(w) for w in data["warnings"]))
    if data["selfcheck"]:
        out.append("<h2>Self-check</h2><ul>%s</ul>" % "".join(
            "<li class=%s>%s: %s" % ("good" if c["passed"] else "bad", "passed" if c["passed"] else "NOT passed", e(c["text"]))
            for c in data["selfcheck"]))
    for group, rows in groups(data).items():
        out.append("<h2>%s</h2><table><tr><th>what<th class=n>median<th class=n>min<th class=n>max<th class=n>spread" % e(group))
        for r in rows:
            many = len(r["samples"]) > 1
            out.append("<tr><td>%s%s<td class=n>%s %s<td class=n>%s<td class=n>%s<td class=n>%s" % (
                e(r["title"]), "<div class=note>%s</div>" % e(r["note"]) if r.get("note") else "", number(r["median"]), e(r["unit"]),
                number(r["min"]) if many else "", number(r["max"]) if many else "", spread(r)))
        out.append("</table>")
    if data["curves"]:
        out.append("<h2>Curves</h2><div class=plots>")
        for c in data["curves"]:
            out.append("<figure id='curve-%s'><figcaption>%s<small>%s</small></figcaption>%s</figure>" % (
                e(c["id"].replace("/", "-")), e(c["title"]), e("; ".join(t for t in (c["shape"], c["note"]) if t)),
                svg.plot([("", c["points"])], c["x"], c["y"], c["log_x"])))
        out.append("</div>")
    if data["histograms"]:
        out.append("<h2>Latency: share of packets that took longer</h2><div class=plots>")
        for h in data["histograms"]:
            told = "p50 %s, p99 %s, p99.9 %s, max %s %s, %d packets" % (
                number(h["p50"]), number(h["p99"]), number(h["p999"]), number(h["max"]), h["unit"], h["count"])
            out.append("<figure><figcaption>%s<small>%s</small></figcaption>%s</figure>" % (
                e(h["title"]), e("; ".join(t for t in (told, h.get("note")) if t)),
                svg.plot([("", svg.exceedance(h["buckets"]))], h["unit"], "share above", True, True) if h["count"] else ""))
        out.append("</div>")
    if data["model"]:
        m = data["model"]
        out.append("<h2>Estimate: cores for faster lines</h2><p>From %.3g ns a packet and %.3g ns a byte, measured here. Assumptions:</p><ul>%s</ul>" % (
            m["packet_ns"], m["byte_ns"], "".join("<li>%s" % e(a) for a in m["assumptions"])))
        out.append("<table><tr><th>line<th>frames<th class=n>Mpps<th class=n>cores</tr>%s</table>" % "".join(
            "<tr><td>%d Gbit/s<td>%s<td class=n>%.3g<td class=n>%.1f" % (r["gbit"], e(r["size"]), r["mpps"], r["cores"]) for r in m["rows"]))
    failed = [p for p in data["parts"] if p.get("failed")]
    if failed:
        out.append("<h2>Not measured</h2><ul class=bad>%s</ul>" % "".join(
            "<li>%s: %s" % (e(p["title"]), e(p["failed"])) for p in failed))
    out.append("<h2>Machine</h2><table>%s</table>" % "".join(
        "<tr><th>%s<td>%s" % (e(k.replace("_", " ")), e(", ".join(map(str, v)) if isinstance(v, list) else str(v)))
        for k, v in data["machine"].items()))
    return "".join(out) + "</html>\n"


def as_markdown(data, level="#"):
    """level: the heading that the report begins with."""
    def cell(text):
        return str(text).replace("|", "\\|")
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(data["started"]))
    m = data["machine"]
    out = [level + " Sekisho benchmark: %s" % data["mode"], "", "%s, took %d s: %s." % (when, data["seconds"], verdict(data)), "",
           "- %s (built %s) on %s, %s cores%s" % (m.get("sekisho"), m.get("built"), m.get("cpu"), m.get("cores"),
                                                 ", virtual machine" if m.get("virtual") else ""),
           "- kernel %s, DPDK %s, memory %s, huge pages %s, governor %s, isolated cores %s" % (
               m.get("kernel"), m.get("dpdk"), m.get("memory"), m.get("huge_pages"), m.get("governor"), m.get("isolated_cores"))]
    out += ["- **%s**" % w for w in data["warnings"]]
    out += ["- self-check %s: %s" % ("passed" if c["passed"] else "NOT passed", c["text"]) for c in data["selfcheck"]]
    for group, rows in groups(data).items():
        out += ["", level + "# " + group, "", "| what | median | min | max | spread |", "|---|---:|---:|---:|---:|"]
        for r in rows:
            many = len(r["samples"]) > 1
            out.append("| %s | %s %s | %s | %s | %s |" % (
                cell(r["title"] + (" (%s)" % r["note"] if r.get("note") else "")), number(r["median"]), r["unit"],
                number(r["min"]) if many else "", number(r["max"]) if many else "", spread(r)))
    if data["curves"]:
        out += ["", level + "# Curves", ""]
        for c in data["curves"]:
            out.append("- %s (%s → %s): %s%s" % (c["title"], c["x"], c["y"], c["shape"] or ", ".join(
                "%s: %s" % (number(p[0]), number(p[1])) for p in c["points"]), "; " + c["note"] if c["note"] else ""))
    if data["histograms"]:
        out += ["", level + "# Latency", "", "| what | p50 | p90 | p99 | p99.9 | max |", "|---|---:|---:|---:|---:|---:|"]
        out += ["| %s | %s |" % (cell(h["title"]), " | ".join("%s %s" % (number(h[p]), h["unit"])
                                                           for p in ("p50", "p90", "p99", "p999", "max")))
                for h in data["histograms"] if h["count"]]
    if data["model"]:
        out += ["", level + "# Estimate: cores for faster lines", "", "| line | frames | Mpps | cores |", "|---|---|---:|---:|"]
        out += ["| %d Gbit/s | %s | %.3g | %.1f |" % (r["gbit"], r["size"], r["mpps"], r["cores"]) for r in data["model"]["rows"]]
        out += [""] + ["- assumed: %s" % a for a in data["model"]["assumptions"]]
    failed = [p for p in data["parts"] if p.get("failed")]
    if failed:
        out += ["", level + "# Not measured", ""] + ["- %s: %s" % (p["title"], p["failed"]) for p in failed]
    return "\n".join(out) + "\n"
