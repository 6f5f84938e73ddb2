"""Which parts a run has."""
import os

import worlds
from in_process import SIZES, InProcess
from stats import median

BEGIN, END = "<!-- sekisho bench: begin -->", "<!-- sekisho bench: end -->"


def parts(programs, folder, figures, options):
    """[(name, title, seconds on a quiet machine, function)]"""
    quick = options.mode == "quick"
    here = InProcess(programs, folder, figures, options)
    k, m = 1000, 1000000
    out = [("selfcheck/generator", "self-check: generator and analyser", 3, lambda: check_generator(here, figures))]
    def world(name, title, seconds):
        out.append((name, title, seconds, lambda: worlds.run(name, programs, folder, figures, options, 3 * seconds + 60)))
    inside = worlds.parts()
    for name, (title, short, long, _) in inside.items():
        if name == "ports/selfcheck":
            world(name, title, short if quick else long)
    if options.mode == "selfcheck":
        return out
    out.append(("cost", "cost a packet by size, in process", 12 if quick else 40,
                lambda: here.cost_by_size(7 if quick else 15, 0.05 if quick else 0.12)))
    sizes = (64, 1518, "imix") if quick else (*SIZES, "imix")
    for size in sizes:
        out.append(("rfc2544/%s" % size, "RFC 2544 in process, %s" % size, 9 if quick else 40,
                    lambda size=size: here.rfc2544((size,), 0.1 if quick else 1.0, 5 if quick else 30)))
    out.append(("features", "cost of each feature", 14 if quick else 50,
                lambda: here.features(5 if quick else 11, 0.03 if quick else 0.1, options.signatures)))
    out.append(("curve/flows", "curve: flows", 25 if quick else 60, lambda: here.flows_curve(
        (1, 100, k, 10 * k, 100 * k, m) if quick else (1, 10, 100, k, 10 * k, 50 * k, 100 * k, 200 * k, 500 * k, m, 2 * m, 4 * m),
        0.05 if quick else 0.2, 3 if quick else 5)))
    out.append(("curve/rules", "curve: rules", 15 if quick else 90, lambda: here.rules_curve(
        (10, 100, k, 10 * k) if quick else (10, 30, 100, 300, k, 3 * k, 10 * k, 30 * k, 100 * k), 0.03 if quick else 0.1, 3 if quick else 5)))
    if options.signatures:
        out.append(("curve/signatures", "curve: signatures", 20 if quick else 60, lambda: here.signatures_curve(
            options.signatures, (0, k, 10 * k, 36 * k) if quick else (0, 100, 300, k, 3 * k, 10 * k, 20 * k, 36 * k),
            0.03 if quick else 0.1, 3 if quick else 5)))
    for name, (title, short, long, _) in inside.items():
        if name != "ports/selfcheck" and (short is not None or not quick):
            world(name, title, short if quick else long)
    out.append(("curve/workers", "curve: workers by RSS, simulated", 4, lambda: here.workers_curve((1, 2, 4, 8, 16, 32))))
    return out


def wanted(name, only):
    return not only or any(part in name for part in only.split(","))


def fill(plan, programs, folder, figures, options):
    for name, title, seconds, function in parts(programs, folder, figures, options):
        # Nothing is claimed without the self-check.
        if wanted(name, options.only) or name.startswith("selfcheck/") or (
                name == "ports/selfcheck" and wanted("ports/", options.only)):
            plan.add(name, title, seconds, function)


def list_parts(options):
    for name, title, seconds, _ in parts(None, "", None, options):
        print("%-24s %4d s  %s" % (name, seconds, title))
    return 0


def check_generator(here, figures):
    ns = here.generator()
    figures.add("selfcheck/generator_ns", "Self-check", "generator and analyser, back to back in process, 64 B", "ns", ns, better="none")


def conclude(figures):
    """What is claimed of the gateway, against what generator and analyser can do."""
    own, gateway = figures.find("selfcheck/generator_ns"), figures.find("cost/64")
    if own and gateway:
        figures.check("in process", True, "generator and analyser take %.3g ns a packet, the gateway %.3g ns; in process their time is "
                      "not part of any figure" % (own["median"], gateway["median"]))
    for size in (64, 1518):
        cable, passed = figures.find("selfcheck/cable_%d" % size), figures.find("rfc2544/memif/%d/overload" % size)
        if not cable:
            continue
        if not passed:
            figures.check("ports, %d B" % size, cable["median"] > 0, "the generator reaches %.3g Mpps back to back" % cable["median"])
            continue
        ratio = cable["median"] / passed["median"] if passed["median"] else 0
        figures.check("ports, %d B" % size, ratio >= 1.5,
                      "back to back the generator reaches %.3g Mpps, %.2f × what the gateway passed (1.5 × is asked for, 2 × the aim)%s" % (
                          cable["median"], ratio, "" if ratio >= 1.5 else ": THE GENERATOR IS THE LIMIT of the figures over ports"))
        if ratio < 1.5:
            figures.data["warnings"].append("%d B over ports: the generator is the limit, not the gateway; the gateway's own cost is that in process" % size)


def write_page(path, markdown):
    """Between the marks of a page, or at its end."""
    old = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as text:
            old = text.read()
    block = "%s\n%s%s\n" % (BEGIN, markdown, END)
    if BEGIN in old and END in old:
        new = old[:old.index(BEGIN)] + block + old[old.index(END) + len(END) + 1:]
    else:
        new = old + ("\n" if old else "") + block
    with open(path, "w", encoding="utf-8") as out:
        out.write(new)
