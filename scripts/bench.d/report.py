"""docs/benchmarks.md: what was to be reached, what was measured."""
# Name, what, reach, whether it is met (of the row and all rows; None: no verdict).
ROWS = [
    ("stateful_64B_10k_ns", "64 B UDP, 10,000 live flows, 100 rules, whole pipeline in process, a packet", "≤ 60 ns",
     lambda r, a: r["median"] <= 60),
    ("stateful_64B_1M_ns", "the same at 1,000,000 flows", "≤ 2 × the above",
     lambda r, a: r["median"] <= 2 * a["stateful_64B_10k_ns"]["median"]),
    ("recorded_64B_10k_ns", "10,000 flows with the flight recorder on (as by default)", "beside stateful_64B_10k_ns", None),
    ("recorded_64B_1M_ns", "the same at 1,000,000 flows", "beside stateful_64B_1M_ns", None),
    ("new_flow_100_rules_ns", "each packet a new 5-tuple, 100 rules", "for the ratio below", None),
    ("new_flow_1k_rules_ns", "the same, 1,000 rules", "≤ 300 ns", lambda r, a: r["median"] <= 300),
    ("new_flow_10k_rules_ns", "the same, 10,000 rules", "≤ 2 × that with 100 rules",
     lambda r, a: r["median"] <= 2 * a["new_flow_100_rules_ns"]["median"]),
    ("flow_bytes", "memory of a flow, whole table included", "≤ 192 B", lambda r, a: r["max"] <= 192),
    ("vs_testpmd", "packets a second, real binary / testpmd io, 64 B, 10,000 flows, both directions", "≥ 0.35 ×",
     lambda r, a: r["median"] >= 0.35),
    ("vs_testpmd_unrecorded", "the same with the flight recorder off (memory_mb = 0)", "beside vs_testpmd", None),
    ("vs_testpmd_1518", "packets of 1518 B, the recorder on", "≥ 0.6 ×", lambda r, a: r["median"] >= 0.6),
    ("vs_ovs_conntrack", "real binary / Open vSwitch-DPDK with conntrack", "≥ 3 ×", lambda r, a: r["median"] >= 3),
    ("veth_tcp_vs_testpmd", "one iperf3 stream through af_xdp on veth / through testpmd io", "≥ 0.9 ×",
     lambda r, a: r["median"] >= 0.9),
    ("veth_et_gbps", "one iperf3 stream through af_xdp on veth, inspected with ET Open, ips = prevent", "≥ 0.9 Gbit/s",
     lambda r, a: r["median"] >= 0.9),
    ("obey_us", "word written → the busy worker, alone on its core, has obeyed", "median ≤ 5 µs, p99 ≤ 100 µs",
     lambda r, a: r["median"] <= 5 and r["p99"] <= 100),
    ("cut_ms", "call of the command line → last packet on the far side, under load", "p99 ≤ 50 ms",
     lambda r, a: r["p99"] <= 50 and r["unconfirmed"] == 0),
    ("swap_lost", "packets lost in a change to 10,000 other rules, under load", "0", lambda r, a: r["max"] == 0),
    ("idle_core_pct", "CPU of an idle gateway, adaptive", "≤ 5 % of a core", lambda r, a: r["median"] <= 5),
    ("first_packet_us", "first packet after a silence, adaptive, veth that wakes its worker", "median ≤ 200 µs",
     lambda r, a: r["median"] <= 200),
    ("et_load_pct", "signatures of ET Open 2024-03-08 that load", "≥ 99.9 %", lambda r, a: r["min"] >= 99.9),
    ("et_compile_s", "the same: parse and compile, cold, two threads", "≤ 30 s", lambda r, a: r["median"] <= 30),
    ("et_cached_s", "the same, databases cached on disk", "≤ 2 s", lambda r, a: r["median"] <= 2),
    ("et_compile_mib", "the larger peak memory of the two", "≤ 1024 MiB", lambda r, a: r["max"] <= 1024),
    ("replay_et_gbps", "mixed capture, all of ET Open, ips = detect, one core", "≥ 2.7 Gbit/s",
     lambda r, a: r["median"] >= 2.7),
    ("replay_plain_gbps", "the same without signatures: reassembly and protocol parsing", "≥ 10 Gbit/s",
     lambda r, a: r["median"] >= 10),
    ("replay_3k_gbps", "the same with every twelfth signature (3,060)", "for the row below", None),
    ("cost_36k_vs_3k", "cost of a byte, all signatures / every twelfth, round by round", "≤ 2 ×",
     lambda r, a: r["median"] <= 2),
    ("single_flow_ratio", "one TCP flow of 16 MiB / 64 flows of the same bytes, ET Open", "≥ 0.7 ×",
     lambda r, a: r["median"] >= 0.7),
    ("flow_state_bytes", "reassembly, parser and inspection of an idle flow, ET Open", "≤ 1024 B",
     lambda r, a: r["max"] <= 1024),
    ("reload_lost", "packets lost while another set of 36,000 is loaded and taken up, in process", "0",
     lambda r, a: r["max"] == 0),
    ("reload_p99_ratio", "p99 of a burst's time during that / without", "≤ 2 ×", lambda r, a: r["median"] <= 2),
    ("obey_ips_us", "word written → the worker that scans with ET Open at full load obeys, in process",
     "median ≤ 50 µs, p99 ≤ 400 µs", lambda r, a: r["median"] <= 50 and r["p99"] <= 400),
    ("events_20k_lost", "events lost anywhere between ring, JSON log and store, 20,000 a second", "0",
     lambda r, a: r["max"] == 0),
    ("events_20k_cpu_pct", "the same: CPU of sekishod's part", "no bound", None),
    ("events_max_rate", "events a second that go to log, store and incidents without a loss", "≥ 20,000",
     lambda r, a: r["median"] >= 20000),
    ("event_query_s", "a query by one key over 10,000,000 stored events (the note says how many), of sixteen", "max < 1 s",
     lambda r, a: r["max"] < 1),
    ("paint_login_ms", "console in Chromium, empty cache: from the address to the login form on the screen", "≤ 1000 ms",
     lambda r, a: r["max"] <= 1000),
    ("paint_map_ms", "the same for somebody who is logged in: to the map with its links", "≤ 1000 ms",
     lambda r, a: r["max"] <= 1000),
    ("api_cut_ms", "a cut over TLS, request → receipt, while 50 clients poll and 20,000 events/s are stored",
     "p99 ≤ 200 ms, no event lost",
     lambda r, a: r["p99"] <= 200 and r["lost"] == 0 and r["unconfirmed"] == 0 and r["events_per_second"] >= 19500),
    ("preview_s", "`sekisho cut LINK --dry-run` with 100,000 live flows", "≤ 2 s", lambda r, a: r["max"] <= 2),
    ("console_cut_ms", "two actions in the console (from before the second) → last packet on the far side, 100,000 flows",
     "p99 ≤ 200 ms", lambda r, a: r["p99"] <= 200),
]

LIMITS = """## What a two-core virtual machine cannot show

- The worker polls on one of two cores; `sekishod`, senders, receivers and whatever else runs share the rest, and the
  host may take either core away (*steal*). A worker that owns an isolated core has a shorter tail in `obey_us`.
- There is no NIC: `net_pcap` replays from memory, so `vs_testpmd` is the cost of the pipeline and of copying frames in,
  not that of a driver. RSS, hardware offloads and 10 or 25 Gbit/s lines are not exercised.
- One worker only: scaling over cores, caches and NUMA nodes is not measured.
- `veth_tcp_vs_testpmd` has sender, receiver and two copies through the kernel on the same two cores as the worker.
- No huge pages are reserved (hugetlbfs), for the gateway and for the yardsticks alike. The gateway's own packet buffers
  ask for transparent ones, which testpmd and Open vSwitch do not; a NIC would want reserved ones for all three.
- `/var/lib` is in memory during a measurement, so the time for a latch to reach a real disk is not in it; it comes
  after the word, and so does not delay a cut.

- Inspection (`replay_…`, `single_flow_ratio`, …) runs in process, from memory: no driver, no queue, no second worker. Its
  rates are CPU time of the thread that inspects; what runs beside it still takes its share of the caches.

## How

Inspection: `bench/ips_bench` with ET Open 2024-03-08 (EXTERNAL_NET = any, HOME_NET = private networks) and the mixed capture
in memory, both beside the repository; without them these rows are not measured. Each round all addresses change, so that
every flow is new; the change is not timed. Bursts of 64, the clock is the capture's, housekeeping after each burst as the
worker does it. The rates count whole frames. Flows of `flow_state_bytes` have been silent for 20 s, with nothing unacknowledged. `reload_lost` compares with the same
rounds without a reload (connection tracking refuses the same packets in each). The word of `obey_ips_us` belongs to a link
without traffic, so that the load goes on; worker and writer have a core each, and none is written while the program makes
the next round's packets, since nothing is scanned then.

In process: `bench/pipeline_bench`, Google Benchmark, CPU time, several repetitions. A *64 B* frame is 60 bytes and its
FCS. Against testpmd: both replay the same captures on the same kind of vdevs, worker and forwarding core on the
same core, alternated; the ratio is taken pair by pair. Open vSwitch likewise: its own polling thread on that core, a
pipeline that tracks connections (new ones are committed from either side, replies belong, 98 rules for others beside),
its caches warm, its defaults otherwise; all 10,000 connections must be in its table. `obey_us` comes from receipts: the time at which the word was
stored and the time at which the worker had obeyed, both CLOCK_MONOTONIC; there `sekishod` is kept off the worker's
core, and its cutting thread is SCHED_FIFO. What else ran on that core, the kernel's own threads for instance, is seen by how
long the worker waited for it; the row counts the cuts without, its note all. `cut_ms` is from before the process starts to the kernel's time stamp of the last datagram in the far
namespace. `swap_lost` numbers its datagrams. `paint_…`: Debian's Chromium (headless), a new context for each load, `sekisho-api` over TLS on
the same two cores; until the frame after the form or the last link is in the page.
"""


def number(value):
    return "%d" % round(value) if value == int(value) or abs(value) >= 100 else "%.3g" % value


def short(row):
    if "failed" in row:
        return "not measured: " + row["failed"]
    text = "%s %s (%s to %s)" % (number(row["median"]), row["unit"], number(row["min"]), number(row["max"]))
    return text + ("; " + row["note"] if row.get("note") else "")


def derive(results):
    names = ("stateful_64B_10k_ns", "stage_parse_ns", "stage_parse_admit_ns")
    if all("median" in results.get(n, {}) for n in names):
        whole, parse, admit = (results[n]["median"] for n in names)
        for name, share in (("share_parse_pct", parse), ("share_admit_pct", admit - parse),
                            ("share_flow_policy_egress_pct", whole - admit)):
            value = 100 * share / whole
            results[name] = {"median": value, "min": value, "max": value, "unit": "%"}


def verdict(name, met, results):
    row = results.get(name, {"failed": "not run"})
    if "failed" in row:
        return "not measured: " + row["failed"].replace("|", "\\|")
    if met is None:
        return ""
    try:
        return "met" if met(row, results) else "**not met**"
    except KeyError:
        return "no verdict: the other figure is missing"


def row_of(name, what, reach, met, results):
    row = results.get(name, {})
    cells = ["", "", ""] if "median" not in row else ["%s %s" % (number(row[k]), row["unit"])
                                                       for k in ("median", "min", "max")]
    return "| `%s` | %s | %s | %s | %s |" % (name, what, reach, " | ".join(cells), verdict(name, met, results))


def page(about, results):
    lines = ["# Benchmarks", "", "Written by `%s` (took %s). Ratios, taken in one run, are what counts: such machines are "
             "noisy." % (about["command"], about["took"]), "",
             "- when: %s, revision %s, programs built %s" % (about["when"], about["revision"], about["built"]),
             "- CPU: %s, %d cores%s" % (about["cpu"], about["cores"],
                                        ", virtual machine" if about["virtual"] else ""),
             "- memory %s, kernel %s, DPDK %s" % (about["memory"], about["kernel"], about["dpdk"] or "unknown"),
             "- load average at the start: %s" % about["load"], "",
             "| name | what | reach | median | min | max | verdict |", "|---|---|---|---:|---:|---:|---|"]
    for name, what, reach, met in ROWS:
        lines.append(row_of(name, what, reach, met, results))
    notes = ["- `%s`: %s" % (n, results[n]["note"]) for n, *_ in ROWS if results.get(n, {}).get("note")]
    if notes:
        lines += ["", *notes]
    shares = [(n, results[n]["median"]) for n in sorted(results) if n.startswith("share_")]
    if shares:
        lines += ["", "Shares of `stateful_64B_10k_ns`: " + ", ".join(
            "%s %.0f %%" % (n[6:-4].replace("_", " + "), v) for n, v in shares) + " (flow look-up, policy and egress by "
            "subtraction)."]
    return "\n".join(lines) + "\n\n" + LIMITS


def tool_block(old):
    """What `sekisho bench --page` wrote into a page, with its marks; or nothing."""
    begin, end = "<!-- sekisho bench: begin -->", "<!-- sekisho bench: end -->"
    return "\n" + old[old.index(begin):old.index(end) + len(end)] + "\n" if begin in old and end in old else ""


def update(old, about, results):
    """An earlier page with the rows of `results` in place of its own, and a line that says so."""
    rows = {r[0]: r for r in ROWS if r[0] in results}
    if LIMITS.split("\n", 1)[0] not in old or "|---|---|" not in old:
        raise RuntimeError("this is no page of benchmarks; run without --only")
    if not rows:
        return old
    lines, noted = [], set()
    for line in old[:old.index(LIMITS.split("\n", 1)[0])].rstrip("\n").split("\n"):
        name = line.split("`")[1] if line.startswith(("| `", "- `")) else None
        if name in rows and line.startswith("| `"):
            line = row_of(*rows[name], results)
        elif name in rows:
            noted.add(name)
            line = "- `%s`: %s" % (name, results[name]["note"]) if results[name].get("note") else None
        if line is not None:
            lines.append(line)
        if line is not None and line.startswith("- load average"):
            lines.append("- run again later (%s, revision %s, programs built %s, load average %s): %s" % (
                about["when"], about["revision"], about["built"], about["load"],
                ", ".join("`%s`" % name for name in rows)))
    new = ["- `%s`: %s" % (n, results[n]["note"]) for n in rows if n not in noted and results[n].get("note")]
    fresh = [name for name in rows if "| `%s` |" % name not in old]  # rows that the page has not had
    at = max(i for i, line in enumerate(lines) if line.startswith(("|---", "| `"))) + 1
    lines[at:at] = [row_of(*rows[name], results) for name in fresh]
    at = max(i for i, line in enumerate(lines) if line.startswith(("|---", "- `", "| `"))) + 1
    if new and not lines[at - 1].startswith("- `"):
        new.insert(0, "")
    return "\n".join(lines[:at] + new + lines[at:]) + "\n\n" + LIMITS + tool_block(old)
