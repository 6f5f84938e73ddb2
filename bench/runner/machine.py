"""What a figure depends on besides the program: recorded before, watched during, judged after a run."""
import os
import platform
import subprocess
import time


def _read(path, otherwise=""):
    try:
        with open(path, encoding="ascii", errors="replace") as text:
            return text.read().strip()
    except OSError:
        return otherwise


def _version(package):
    try:
        return subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False, timeout=10).stdout.strip()
    except OSError:
        return ""


def ticks():
    """(steal, idle, all) of all cores since boot, in clock ticks."""
    values = [int(v) for v in _read("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return values[7], values[3] + values[4], sum(values)


def about(sekisho):
    info = _read("/proc/cpuinfo")
    model = next((line.split(":", 1)[1].strip() for line in info.split("\n") if line.startswith("model name")), "unknown")
    frequency = [line.split(":", 1)[1].strip() for line in info.split("\n") if line.startswith("cpu MHz")]
    memory = dict(line.split(":", 1) for line in _read("/proc/meminfo").split("\n") if ":" in line)
    version = subprocess.run([sekisho, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    governor = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "not visible")
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), "host": "not recorded",
        "sekisho": version, "built": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(os.path.getmtime(sekisho))),
        "cpu": model, "cores": os.cpu_count(), "mhz": frequency, "governor": governor,
        "virtual": " hypervisor" in info, "memory": memory.get("MemTotal", "").strip(),
        "huge_pages": memory.get("HugePages_Total", "0").strip(),
        "transparent_huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled", "unknown"),
        "kernel": platform.release(), "isolated_cores": _read("/sys/devices/system/cpu/isolated") or "none",
        "mitigations": _read("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "unknown"),
        "dpdk": _version("libdpdk-dev") or _version("librte-eal23") or "unknown",
        "clock": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "offloads": "none asked for; checksums are computed and checked in software",
        "load_before": list(os.getloadavg())}


class Watch:
    """Steal time and other load between two moments."""

    def __init__(self):
        self._start = ticks()

    def end(self):
        now = ticks()
        steal, _, every = (b - a for a, b in zip(self._start, now))
        return {"steal_pct": 100.0 * steal / max(every, 1), "load_after": list(os.getloadavg())}


def warnings(machine, watched):
    """What makes a run noisy, in words; empty: a quiet one."""
    out, cores = [], machine["cores"] or 1
    before, after = machine["load_before"][0], watched["load_after"][0]
    if before > 0.3 * cores:
        out.append("the machine was busy before the run: load %.2f on %d cores" % (before, cores))
    if after > 1.5 * cores + 1:
        out.append("more ran than the benchmark's own programs: load %.2f on %d cores at the end" % (after, cores))
    if watched["steal_pct"] > 1:
        out.append("the host took %.1f %% of the processor time (steal)" % watched["steal_pct"])
    if machine["virtual"]:
        out.append("virtual machine: neighbours on the host are not visible from here")
    if cores < 4:
        out.append("%d cores: generator, gateway and management share them" % cores)
    if machine["huge_pages"] in ("", "0"):
        out.append("no huge pages are reserved")
    if machine["governor"] not in ("performance", "not visible"):
        out.append("the frequency governor is '%s'" % machine["governor"])
    return out
