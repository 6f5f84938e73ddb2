"""Inspection with ET Open, in process: bench/ips_bench, which prints one JSON object a row."""
import json
import os
import subprocess

# What is run together, and for how long at most: quick, and not.
GROUPS = [
    (("et_compile_s", "et_cached_s", "et_compile_mib", "et_load_pct"), 100, 400),
    (("replay_et_gbps", "replay_plain_gbps", "replay_3k_gbps", "cost_36k_vs_3k"), 60, 200),
    (("single_flow_ratio", "flow_state_bytes"), 60, 200),
    (("reload_lost", "reload_p99_ratio", "obey_ips_us"), 60, 200),
]


# The same for events on their way to disk (bench/events_bench).
EVENT_GROUPS = [
    (("events_20k_lost", "events_20k_cpu_pct", "events_max_rate"), 120, 300),
    (("event_query_s",), 300, 3000),
]


def _run(program, rows, quick, timeout):
    command = [program, "--rows", ",".join(rows)] + (["--quick"] if quick else [])
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (os.path.basename(program), done.returncode, done.stderr.strip()[-200:]))
    found = {}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        if "skipped" in row:
            raise RuntimeError(row["skipped"])
        if "events" in row:
            row["note"] = "%d events" % row["events"]
        found[row.pop("name")] = row
    return found


def measure(program, quick, wanted, keep, groups=None):
    """keep(name, function): as micro.measure; a group is run once, if any of its rows is wanted."""
    for rows, quick_seconds, seconds in GROUPS if groups is None else groups:
        rows = [name for name in rows if wanted(name)]
        found, failed = {}, ""
        if rows:
            try:
                found = _run(program, rows, quick, quick_seconds if quick else seconds)
            except subprocess.TimeoutExpired as why:
                failed = "not done after %d s" % why.timeout
            except (RuntimeError, OSError, ValueError) as why:
                failed = str(why)
        for name in rows:

            def row(name=name, found=found, failed=failed):
                if name not in found:
                    raise RuntimeError(failed or "%s did not tell" % os.path.basename(program))
                return found[name]
            keep(name, row)
