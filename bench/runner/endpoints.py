"""Real clients and servers through the gateway on veth, in the phases of RFC 9411 (init, ramp up, sustain, ramp down,
collect), and the kernel with nftables in the gateway's place. Runs inside a private world (worlds.py)."""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import time

import sites
from stats import median

ROOT = "/run/lab/www"
SMALL, LARGE = 1024, 1 << 20
UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6, "B": 1.0, "KB": 1024.0, "MB": 1024.0 ** 2, "GB": 1024.0 ** 3}
EVIL = ('drop http any any -> any any (msg:"bench attack"; flow:to_server,established; http.uri; content:"/bench-attack"; '
        'sid:%d; rev:1;)\n')


def lab_of(ips="off", files=()):
    from lab import Lab, Wire

    class EndLab(Lab):
        def __init__(self):
            super().__init__(wires=[Wire(1, "line", "device", "his")], links="", rules="", start=False)
            self.ips, self.files = ips, list(files)

        def config_text(self):
            wire = self.wires[0]
            devices = ["net_af_xdp,iface=" + host.gateway_interface for host in (wire.a, wire.b)]
            tail = "" if not self.files else '[ips]\nfiles = [%s]\nnew_signatures_detect_for = 0\n' % ", ".join('"%s"' % f for f in self.files)
            return sites.text(devices=devices, rules=100, memory_mb=256, idle="adaptive", more='ips = "%s"\n' % self.ips, tail=tail)

        def explain(self):
            """The failure says enough."""

        def stop(self):
            for process in (self.sekishod, self.dataplane):
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    self.kill(process)
            for host in (self.wires[0].a, self.wires[0].b):
                subprocess.run(["ip", "link", "set", host.gateway_interface, "xdp", "off"], check=False)
            subprocess.run(["nft", "flush", "ruleset"], check=False, stderr=subprocess.DEVNULL)
    return EndLab()


@contextlib.contextmanager
def kernel(wire):
    """The kernel in the gateway's place: routes between the two hosts (proxy ARP), tracks connections, and accepts what is
    established or new, behind 98 rules for others."""
    sides, hosts = [wire.a.gateway_interface, wire.b.gateway_interface], (wire.a, wire.b)
    rules = "".join("ip daddr 10.99.%d.%d tcp dport %d ct state new accept\n" % (i // 250, 1 + i % 250, 1 + i % 50) for i in range(98))

    def forget():  # whose address is at whose MAC
        for host in hosts:
            host.command("ip", "neigh", "flush", "all")
    try:
        for side, host in zip(sides, hosts):
            run("ip", "link", "set", side, "up")
            run("ip", "route", "replace", host.ip4 + "/32", "dev", side)
            for key in ("proxy_arp", "forwarding"):
                with open("/proc/sys/net/ipv4/conf/%s/%s" % (side, key), "w", encoding="ascii") as setting:
                    setting.write("1")
            with open("/proc/sys/net/ipv4/conf/%s/rp_filter" % side, "w", encoding="ascii") as setting:
                setting.write("0")
        run("nft", "-f", "-", text="table inet sekisho_bench {\nchain pass {\ntype filter hook forward priority 0; policy drop;\n"
            "ct state invalid drop\nct state established,related accept\n%sct state new accept\n}\n}\n" % rules)
        forget()
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "sekisho_bench"], check=False, stderr=subprocess.DEVNULL)
        for side, host in zip(sides, hosts):
            subprocess.run(["ip", "route", "del", host.ip4 + "/32", "dev", side], check=False, stderr=subprocess.DEVNULL)
            for key in ("proxy_arp", "forwarding"):
                with open("/proc/sys/net/ipv4/conf/%s/%s" % (side, key), "w", encoding="ascii") as setting:
                    setting.write("0")
        forget()


def run(*words, text=None, timeout=30):
    done = subprocess.run(words, input=text, stdin=None if text else subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (words[0], done.returncode, done.stdout.strip()[-200:]))
    return done.stdout


class Servers:
    """nginx (HTTP 8080, TLS 8443 with HTTP/2) and a DICOM store, where they are installed, at host b."""

    def __init__(self, host):
        self._host, self._processes = host, []
        os.makedirs(ROOT, exist_ok=True)
        for folder in ("/var/log/nginx", "/run/lab/nginx", "/run/lab/dicom", "/run/lab/store"):
            os.makedirs(folder, exist_ok=True)
        for name, size in (("small", SMALL), ("large", LARGE)):
            with open(os.path.join(ROOT, name), "wb") as out:
                out.write(os.urandom(size))
        subprocess.run(["chmod", "-R", "a+rX", "/run/lab"], check=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
            "/CN=bench", "-keyout", "/run/lab/nginx/key.pem", "-out", "/run/lab/nginx/cert.pem")
        with open("/run/lab/nginx/nginx.conf", "w", encoding="utf-8") as out:
            out.write("daemon off; worker_processes 1; pid /run/lab/nginx/pid; error_log /run/lab/nginx/error.log; user root;\n"
                      "worker_rlimit_nofile 16384; events { worker_connections 8192; }\n"
                      "http { access_log off; keepalive_requests 1000000; keepalive_timeout 120; client_body_temp_path /run/lab/nginx/b;\n"
                      "proxy_temp_path /run/lab/nginx/p; fastcgi_temp_path /run/lab/nginx/f; uwsgi_temp_path /run/lab/nginx/u;\n"
                      "scgi_temp_path /run/lab/nginx/s; server { listen 8080; listen 8443 ssl http2; root %s;\n"
                      "ssl_certificate /run/lab/nginx/cert.pem; ssl_certificate_key /run/lab/nginx/key.pem; } }\n" % ROOT)
        self._start("nginx", "-c", "/run/lab/nginx/nginx.conf")
        if shutil.which("storescp"):
            self._start("storescp", "-aet", "PACS", "--ignore", "11112")

    def _start(self, *words):
        self._processes.append(subprocess.Popen(["ip", "netns", "exec", self._host.name, *words], stdin=subprocess.DEVNULL,
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/run/lab/store"))

    def close(self):
        for process in self._processes:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            if process.poll() is None:
                process.kill()
                process.wait()


def wrk(host, url, seconds, connections, *headers):
    """One phase: {requests a second, bytes a second, p50_us, p99_us, errors}."""
    words = ["wrk", "-t", "1", "-c", str(connections), "-d", "%ds" % max(1, seconds), "--latency", "--timeout", "5s"]
    for header in headers:
        words += ["-H", header]
    text = host.command(*words, url, timeout=seconds + 40)
    found = {"rate": float(re.search(r"Requests/sec:\s*([\d.]+)", text).group(1)), "errors": 0}
    number, unit = re.search(r"Transfer/sec:\s*([\d.]+)([KMG]?B)", text).groups()
    found["bytes"] = float(number) * UNITS[unit]
    for key, label in (("p50_us", "50%"), ("p99_us", "99%")):
        number, unit = re.search(r"%s\s+([\d.]+)(us|ms|s|m)" % label, text).groups()
        found[key] = float(number) * UNITS[unit]
    for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", text) + re.findall(r"Non-2xx or 3xx responses: (\d+)", text):
        found["errors"] += int(number)
    return found


def phases(host, url, seconds, connections, *headers):
    """Init (one request), ramp up, sustain, ramp down; what is collected is the sustained phase."""
    host.command("curl", "-ksf", "-o", "/dev/null", "--max-time", "10", url)
    wrk(host, url, 1, max(1, connections // 4), *headers)
    told = wrk(host, url, seconds, connections, *headers)
    wrk(host, url, 1, max(1, connections // 4), *headers)
    return told


def dicom(host, address, count):
    """A study of `count` slices of 512 KiB in one association: bytes a second of pixels."""
    if not shutil.which("storescu") or not shutil.which("dump2dcm"):
        return None
    folder = "/run/lab/dicom"
    if not os.path.exists(folder + "/1.dcm"):
        with open(folder + "/pixels.raw", "wb") as out:
            out.write(os.urandom(512 * 1024))
        for i in range(count):
            with open(folder + "/slice.dump", "w", encoding="ascii") as out:
                out.write("(0008,0016) UI =CTImageStorage\n(0008,0018) UI [1.2.826.0.1.3680043.9.7433.7.%d]\n(0008,0060) CS [CT]\n"
                          "(0010,0010) PN [BENCH^NOBODY]\n(0010,0020) LO [BENCH]\n(0020,000d) UI [1.2.826.0.1.3680043.9.7433.8]\n"
                          "(0020,000e) UI [1.2.826.0.1.3680043.9.7433.9]\n(0020,0013) IS [%d]\n(0028,0002) US 1\n"
                          "(0028,0004) CS [MONOCHROME2]\n(0028,0010) US 512\n(0028,0011) US 512\n(0028,0100) US 16\n(0028,0101) US 16\n"
                          "(0028,0102) US 15\n(0028,0103) US 0\n(7fe0,0010) OW =%s/pixels.raw\n" % (i + 1, i + 1, folder))
            run("dump2dcm", "+te", folder + "/slice.dump", "%s/%d.dcm" % (folder, i + 1))
    files = ["%s/%d.dcm" % (folder, i + 1) for i in range(count)]
    started = time.monotonic()
    host.command("storescu", "-ta", "20", "-td", "20", "-to", "10", "-aec", "PACS", address, "11112", *files, timeout=120)
    return count * 512 * 1024 / (time.monotonic() - started)


def open_connections(host, address, wanted):
    """How many connections stand at once, each proven by an answered request."""
    held = []
    try:
        for _ in range(wanted):
            with host:
                one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            one.settimeout(10)
            one.connect((address, 8080))
            held.append(one)
        answered = 0
        for one in held:
            one.sendall(b"HEAD /small HTTP/1.1\r\nHost: bench\r\n\r\n")
        for one in held:
            answered += one.recv(4096).startswith(b"HTTP/1.1 200")
        return answered
    except OSError:
        return 0
    finally:
        for one in held:
            one.close()


def traffic(programs, figures, quick, signatures=None):
    """HTTP, TLS, connections and DICOM; the gateway and the kernel in turns."""
    for tool in ("wrk", "nginx", "openssl", "curl"):
        if shutil.which(tool) is None:
            raise RuntimeError("%s is not installed" % tool)
    rounds, seconds = (2, 2) if quick else (5, 10)
    samples, errors = {}, 0
    with lab_of() as lab:
        wire = lab.wires[0]
        servers = lab.keep(Servers(wire.b))
        http, tls = "http://%s:8080" % wire.b.ip4, "https://%s:8443" % wire.b.ip4

        def reach():
            lab.wait(lambda: subprocess.run(["ip", "netns", "exec", wire.a.name, "curl", "-ksf", "-o", "/dev/null", "--max-time", "1", tls + "/small"],
                                            check=False).returncode == 0, 30, "the server to answer")

        def measure(who):
            nonlocal errors
            reach()
            close = "Connection: close"
            for key, url, connections, header in (("http", http + "/large", 8, None), ("tls", tls + "/large", 8, None),
                                                  ("transactions", http + "/small", 32, None), ("cps", http + "/small", 32, close),
                                                  ("tls_cps", tls + "/small", 32, close)):
                told = phases(wire.a, url, seconds, connections, *([header] if header else []))
                if who == "gateway":
                    errors += told["errors"]
                value = told["bytes"] * 8 / 1e9 if key in ("http", "tls") else told["rate"]
                samples.setdefault((who, key), []).append(value)
                if key == "transactions":
                    samples.setdefault((who, "p50"), []).append(told["p50_us"])
                    samples.setdefault((who, "p99"), []).append(told["p99_us"])
            if shutil.which("h2load"):
                text = wire.a.command("h2load", "-t1", "-c", "8", "-m", "16", "-n", "20000" if quick else "200000", tls + "/small", timeout=120)
                samples.setdefault((who, "h2"), []).append(float(re.search(r"([\d.]+) req/s", text).group(1)))
            rate = dicom(wire.a, wire.b.ip4, 40 if quick else 400)
            if rate is not None:
                samples.setdefault((who, "dicom"), []).append(rate * 8 / 1e9)
        for turn in range(rounds):
            lab.start()
            measure("gateway")
            if turn == 0:
                wanted = 1000 if quick else 5000
                held = open_connections(wire.a, wire.b.ip4, wanted)
                figures.add("rfc9411/concurrent", "RFC 9411, real clients and servers", "connections open at once, each answering (asked for %d)" % wanted,
                            "connections", [held], better="none")
            lab.stop()
            with kernel(wire):
                measure("kernel")
    group = "RFC 9411, real clients and servers"
    names = {"http": ("HTTP, objects of 1 MiB", "Gbit/s"), "tls": ("TLS 1.3, objects of 1 MiB", "Gbit/s"), "transactions": ("HTTP transactions of 1 KiB, 32 connections kept", "/s"),
             "cps": ("HTTP connections (one transaction each)", "/s"), "tls_cps": ("TLS connections (one transaction each)", "/s"),
             "h2": ("HTTP/2 over TLS, 8 × 16 streams (h2load)", "/s"), "dicom": ("DICOM, slices of 512 KiB in one association (storescu)", "Gbit/s"),
             "p50": ("HTTP transaction time, median", "us"), "p99": ("HTTP transaction time, p99", "us")}
    for key, (title, unit) in names.items():
        ours, theirs = samples.get(("gateway", key)), samples.get(("kernel", key))
        if not ours:
            continue
        better = "lower" if unit == "us" else "higher"
        figures.add("rfc9411/" + key, group, title, unit, ours, better=better,
                    note="%d errors in all phases" % errors if errors and key == "http" else "")
        if theirs:
            figures.add("rfc9411/%s/kernel" % key, group, "%s: gateway / kernel router with nftables and conntrack" % title, "ratio",
                        [a / b for a, b in zip(ours, theirs)], better="none", note="%.4g against %.4g %s" % (median(ours), median(theirs), unit))


def security(programs, figures, quick, signatures=None):
    """Security effectiveness under load: requests that a signature stops, while ordinary ones pass."""
    path = "/run/lab/bench.rules"
    files = [path] + ([signatures] if signatures else [])
    with open(path, "w", encoding="utf-8") as out:
        out.write(EVIL % 8800001)
    group, attacks = "RFC 9411, real clients and servers", 100 if quick else 1000
    with lab_of("prevent", files) as lab:
        wire = lab.wires[0]
        lab.keep(Servers(wire.b))
        lab.start()
        base = "http://%s:8080" % wire.b.ip4
        lab.wait(lambda: subprocess.run(["ip", "netns", "exec", wire.a.name, "curl", "-sf", "-o", "/dev/null", "--max-time", "1", base + "/small"],
                                        check=False).returncode == 0, 30, "the server to answer")
        shutil.copy(ROOT + "/small", ROOT + "/bench-attack")
        load = subprocess.Popen(["ip", "netns", "exec", wire.a.name, "wrk", "-t", "1", "-c", "16", "-d", "%ds" % (8 if quick else 60), base + "/small"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(1)
        through = made = 0
        for i in range(attacks):
            if load.poll() is not None:
                break
            made += 1
            with wire.a:
                one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            one.settimeout(0.05)
            try:
                one.settimeout(3)
                one.connect((wire.b.ip4, 8080))
                one.settimeout(0.05)
                one.sendall(b"GET /bench-attack?%d HTTP/1.1\r\nHost: bench\r\n\r\n" % i)
                through += one.recv(4096).startswith(b"HTTP/1.1 200")
            except OSError:
                pass
            finally:
                one.close()
        text = load.communicate(timeout=120)[0]
        rate = float(re.search(r"Requests/sec:\s*([\d.]+)", text).group(1))
    if made == 0:
        raise RuntimeError("the load ended before the attacks")
    figures.add("rfc9411/stopped", group, "attacks stopped under load, ips = prevent%s" % (" with " + os.path.basename(signatures) if signatures else ""), "%",
                [100.0 * (made - through) / made], better="none", note="%d requests that a signature names, beside %.4g ordinary ones a second" % (made, rate))


PARTS = {
    "endpoints/traffic": ("RFC 9411: HTTP, TLS, DICOM; the kernel in the same place", None, 700, traffic),
    "endpoints/security": ("RFC 9411: attacks under load", None, 90, security),
}
