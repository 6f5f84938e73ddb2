"""In process: bench/pipeline_bench (Google Benchmark), several repetitions, CPU time."""
import json
import subprocess


def summary(values, unit, **more):
    """The spread of some samples, under the names that --json promises."""
    if not values:
        raise RuntimeError("no samples")
    ordered = sorted(values)
    half = len(ordered) // 2
    median = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return dict(median=median, min=ordered[0], max=ordered[-1], unit=unit, samples=len(ordered), **more)


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100.0))]


def _run(program, pattern, repetitions, min_time, timeout):
    done = subprocess.run([program, "--benchmark_filter=" + pattern, "--benchmark_format=json",
                           "--benchmark_repetitions=%d" % repetitions, "--benchmark_min_time=%g" % min_time],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError("pipeline_bench: exit %d: %s" % (done.returncode, done.stderr.strip()[-200:]))
    return json.loads(done.stdout)["benchmarks"]


def _counter(rows, name, counter):
    """The repetitions of one benchmark, and its own median of them."""
    one = [r for r in rows if r["run_name"] == name]
    failed = [r["error_message"] for r in one if r.get("error_occurred")]
    if failed:
        raise RuntimeError("%s: %s" % (name, failed[0]))
    values = [r[counter] for r in one if r["run_type"] == "iteration"]
    if not values:
        raise RuntimeError("pipeline_bench has no %s" % name)
    return values


def _ns(program, quick, name):
    rows = _run(program, "^%s$" % name, 3 if quick else 7, 0.2 if quick else 1.0, 40 if quick else 180)
    # ns_per_packet is seconds: the counter is an inverted rate of 1e-9 packets.
    return summary(_counter(rows, name, "ns_per_packet"), "ns")


def measure(program, quick, keep):
    """keep(name, function): runs it, and notes either what it returned or why it failed."""
    for name, benchmark in (("stateful_64B_10k_ns", "stateful/10000"), ("stateful_64B_1M_ns", "stateful/1000000"),
                            ("recorded_64B_10k_ns", "recorded/10000"), ("recorded_64B_1M_ns", "recorded/1000000"),
                            ("new_flow_100_rules_ns", "new_flow/100"), ("new_flow_1k_rules_ns", "new_flow/1000"),
                            ("new_flow_10k_rules_ns", "new_flow/10000"),
                            ("stage_parse_ns", "stage/with_admission:0"),
                            ("stage_parse_admit_ns", "stage/with_admission:1")):
        keep(name, lambda benchmark=benchmark: _ns(program, quick, benchmark))

    def flow_bytes():
        rows = _run(program, "^flow_bytes/", 1, 0.01, 30)
        values = [r["bytes_per_flow"] for r in rows if r["run_type"] == "iteration"]
        return summary(values, "B")
    keep("flow_bytes", flow_bytes)
