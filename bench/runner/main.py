#!/usr/bin/env python3
"""Measures this machine with Sekisho, and compares measurements.

  sekisho bench quick | full     a report: NAME.json, NAME.html, NAME.md
  sekisho bench selfcheck        whether generator and analyser are fast enough here
  sekisho bench compare A B      what became slower; exit status 1 if something did
  sekisho bench report A         the pages of a result once more; --page puts it into a page of Markdown
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

import compare  # noqa: E402
import estimate  # noqa: E402
import machine  # noqa: E402
import reports  # noqa: E402
import runs  # noqa: E402
import worlds  # noqa: E402
from figures import Figures, load  # noqa: E402
from plan import Plan  # noqa: E402
from served import Programs  # noqa: E402


def write_pages(data, base, page):
    for end, text in ((".html", reports.as_html(data)), (".md", reports.as_markdown(data))):
        with open(base + end, "w", encoding="utf-8") as out:
            out.write(text)
    if page:
        runs.write_page(page, reports.as_markdown(data, "##"))


def measure(options):
    programs = Programs(options.sekisho)
    about = machine.about(options.sekisho)
    figures, watch = Figures(options.mode, about), machine.Watch()
    folder = tempfile.mkdtemp(prefix="sekisho-bench-")
    try:
        plan = Plan(figures, options.limit or (290 if options.mode == "quick" else None))
        runs.fill(plan, programs, folder, figures, options)
        well = plan.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    watched = watch.end()
    about.update(watched)
    figures.data["warnings"] += machine.warnings(about, watched)
    runs.conclude(figures)
    figures.data["model"] = estimate.table(figures)
    base = os.path.join(options.out, options.name or "sekisho-bench-" + time.strftime("%Y%m%d-%H%M%S", time.gmtime()))
    os.makedirs(options.out, exist_ok=True)
    figures.save(base + ".json")
    write_pages(figures.data, base, options.page)
    if options.print_json:
        json.dump(figures.data, sys.stdout)
        print()
    else:
        print(reports.as_markdown(figures.data))
    print("written: %s.json, .html, .md" % base, file=sys.stderr)
    failed = [c for c in figures.data["selfcheck"] if not c["passed"]]
    return 1 if (options.mode == "selfcheck" and failed) or not well else 0


def main():
    parser = argparse.ArgumentParser(prog="sekisho bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sekisho", default=os.environ.get("SEKISHO_PROGRAM", ""), help=argparse.SUPPRESS)
    modes = parser.add_subparsers(dest="mode", required=True, metavar="quick|full|selfcheck|compare|report")
    for mode, what in (("quick", "under 5 minutes"), ("full", "everything"), ("selfcheck", "generator and analyser only")):
        one = modes.add_parser(mode, help=what)
        one.add_argument("--out", metavar="DIR", default=".", help="where the report goes (here)")
        one.add_argument("--name", metavar="NAME", help="its files are NAME.json, NAME.html, NAME.md")
        one.add_argument("--only", metavar="PART", help="parts whose names contain PART, with commas between (--list)")
        one.add_argument("--list", action="store_true", help="the parts, and what they take")
        one.add_argument("--limit", metavar="SECONDS", type=float, help="parts that would not fit are left out (quick: 290)")
        one.add_argument("--signatures", metavar="FILE", help="a set of signatures (plain or gzip) for the curve and the cost of inspection")
        one.add_argument("--page", metavar="FILE", help="writes the report into this Markdown page too, between its marks")
        one.add_argument("--delay-ns", type=int, default=0, metavar="N",
                         help="burns N ns for each packet in the in-process gateway: what a slower build looks like")
        one.add_argument("--print-json", action="store_true", help=argparse.SUPPRESS)
    part = modes.add_parser("inside")
    part.add_argument("part")
    part.add_argument("--out")
    part.add_argument("--quick", action="store_true")
    part.add_argument("--signatures")
    two = modes.add_parser("compare", help="what became slower")
    two.add_argument("a", metavar="A.json")
    two.add_argument("b", metavar="B.json")
    two.add_argument("--threshold", type=float, default=5, metavar="PERCENT", help="what is no regression yet (5)")
    two.add_argument("--print-json", action="store_true", help=argparse.SUPPRESS)
    again = modes.add_parser("report", help="the pages of a result once more")
    again.add_argument("a", metavar="A.json")
    again.add_argument("--page", metavar="FILE", help="a page of Markdown to put the report into, between its marks")
    again.add_argument("--print-json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode in ("compare", "report"):
        try:
            a = load(options.a)
            b = load(options.b) if options.mode == "compare" else None
        except (OSError, ValueError) as why:
            print("sekisho bench: %s" % why, file=sys.stderr)
            return 2
    if options.mode == "report":
        write_pages(a, os.path.splitext(options.a)[0], options.page)
        return 0
    if options.mode == "compare":
        rows, warnings = compare.compare(a, b, options.threshold / 100)
        if options.print_json:
            print(json.dumps({"rows": rows, "warnings": warnings}))
        else:
            print(compare.as_text(rows, warnings, options.threshold / 100))
        return 1 if any(r["verdict"] == "REGRESSION" for r in rows) else 0
    if options.mode == "inside":
        return worlds.inside(options.sekisho, options.part, options.out, options.quick, options.signatures)
    if not options.sekisho:
        parser.error("run it as `sekisho bench`")
    if options.list:
        return runs.list_parts(options)
    return measure(options)


if __name__ == "__main__":
    sys.exit(main())
