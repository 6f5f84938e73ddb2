"""What is kept of what happened: events and incidents to ask, exceptions, health, metrics, and disks that fail."""
import datetime
import json
import os
import re
import shutil
import socket
import subprocess

import traffic
from lab import Lab
from web import HttpServer, curl, of_socket

SIGNATURES = "/run/lab/site.rules"
LINKS = """
[[link]]
name = "device-his"
zones = ["device", "his"]
clinical = true
[[link]]
name = "vendor"
zones = ["vendor", "his"]
ips = "prevent"
"""
RULES = """
[services]
spoken = { tcp = [80, 7000] }
ping = { icmp = "echo" }
[[rule]]
name = "devices"
from = "device"
to = "his"
service = ["spoken", "ping"]
action = "accept"
[[rule]]
name = "vendors"
from = "vendor"
to = "his"
service = ["spoken", "ping"]
action = "accept"
"""
EVIL = ('drop http any any -> any any (msg:"e2e evil path"; flow:to_server,established; http.uri; content:"/evil"; '
        'classtype:web-application-attack; metadata:mitre_technique_id T1190, mitre_technique_name Exploit_Public; '
        'sid:8000001; rev:3;)\n')
IPS = ('\n[ips]\nfiles = ["%s"]\nnew_signatures_detect_for = 0\napp_memory = "64MiB"\nstream_memory = "64MiB"\n' %
       SIGNATURES)
HERE = os.path.dirname(os.path.abspath(__file__))
DASHBOARD = os.path.join(HERE, "..", "..", "config", "grafana", "sekisho.json")


def _lab(**more):
    with open(SIGNATURES, "w", encoding="utf-8") as out:
        out.write(EVIL)
    return Lab(links=LINKS, rules=RULES, extra=IPS, **more)


def _events(lab, *filters):
    return lab.json("events", *filters)["events"]


def _reasons(lab):
    status, out, _ = lab.sekisho("health", "--json", check=False)
    assert status in (0, 1), status
    return {r["name"]: r["text"] for r in json.loads(out)["reasons"]}


def _evil(wire):
    """An attack of the vendor's host: true if it got an answer."""
    return curl(wire.a, "http://%s/evil" % wire.b.ip4, seconds=2) == 0


def test_events_are_found_by_each_key_and_alerts_become_incidents():
    with _lab() as lab:
        maint, clinical = lab.wire("maint"), lab.wire("clinical")
        lab.keep(HttpServer(maint.b))
        assert not _evil(maint), "the signature does not drop"
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7002, 0.7)
        assert traffic.ping(clinical.a, clinical.b.ip4)
        lab.wait(lambda: _events(lab, "--kind", "alert"), 20, "the alert in the store")
        alert = _events(lab, "--kind", "alert")[0]
        assert alert["alert"]["signature_id"] == 8000001, alert
        assert _events(lab, "--signature", "8000001"), "by signature"
        assert not _events(lab, "--signature", "8000002")
        lab.wait(lambda: _events(lab, "--kind", "drop", "--link", "vendor"), 20, "the drop in the store")
        for event in _events(lab, "--link", "vendor"):
            assert event["sekisho"]["link"] == "vendor", event
        for event in _events(lab, "--host", maint.a.ip4):
            assert maint.a.ip4 in (event["src_ip"], event["dest_ip"]), event
        assert not _events(lab, "--host", "10.99.99.99")
        assert not _events(lab, "--to", "2020-01-01T00:00:00Z")
        assert _events(lab, "--from", "2020-01-01T00:00:00Z")
        for wrong in (["--host", "x"], ["--from", "yesterday"], ["--signature", "a"], ["--limit", "0"]):
            status, _, err = lab.sekisho("events", *wrong, check=False)
            assert status == 1 and "bad_" in err, (wrong, err)

        lab.wait(lambda: lab.json("incidents", "list")["incidents"], 20, "the incident")
        incident = lab.json("incidents", "list", "--state", "new")["incidents"][0]
        assert (incident["host"], incident["technique"]) == (maint.a.ip4, "T1190"), incident
        number = str(incident["id"])
        lab.sekisho("incidents", "note", number, "asked the vendor")
        lab.sekisho("incidents", "state", number, "valid")
        assert lab.sekisho("incidents", "state", number, "maybe", check=False)[0] == 1
        assert lab.sekisho("incidents", "note", "9999", "x", check=False)[0] == 1
        shown = lab.json("incidents", "show", number)
        assert shown["state"] == "valid" and [e["kind"] for e in shown["entries"]] == ["note", "state"], shown
        assert shown["peers"][0]["address"] == maint.b.ip4
        actions = [r["action"] for r in lab.json("audit", "show")["records"]]
        assert "incident.state" in actions and "incident.note" in actions, actions


test_events_are_found_by_each_key_and_alerts_become_incidents.seconds = 150


def test_an_exception_from_an_incident_takes_effect_and_ends_by_itself():
    with _lab() as lab:
        maint = lab.wire("maint")
        lab.keep(HttpServer(maint.b))
        assert not _evil(maint)
        lab.wait(lambda: lab.json("incidents", "list")["incidents"], 20, "the incident")
        number = str(lab.json("incidents", "list")["incidents"][0]["id"])
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=25)
        asked = ["incidents", "exception", number, "--address", maint.a.ip4, "--reason", "e2e \"quoted\" \\ reason"]
        moment = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        for wrong in (["--sid", "8000001", "--until", "2001-01-01T00:00:00Z"], ["--sid", "8000099", "--until", moment],
                      ["--sid", "8000001", "--until", "2099-01-01T00:00:00Z"]):
            assert lab.sekisho(*asked, *wrong, check=False)[0] == 1, wrong
        lab.sekisho(*asked, "--sid", "8000001", "--until", moment, timeout=120)
        lab.wait(lambda: _evil(maint), 15, "the exception to act")
        assert "exception" in [e["kind"] for e in lab.json("incidents", "show", number)["entries"]]
        lab.wait(lambda: not _evil(maint), 60, "the exception to end", pause=0.5)
        assert datetime.datetime.now(datetime.timezone.utc) >= until - datetime.timedelta(seconds=2)


test_an_exception_from_an_incident_takes_effect_and_ends_by_itself.seconds = 240


def test_metrics_health_clock_and_performance_tell_what_is():
    with _lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000)
        text = of_socket("/metrics")
        samples, families = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                assert name not in families, "the family %s stands twice" % name
                families[name] = kind
            elif not line.startswith("#"):
                name = re.match(r"([a-z_]+)(\{[^}]*\})? (\S+)$", line)
                assert name and name.group(1) in families, line
                assert line.rsplit(" ", 1)[0] not in samples, "twice: " + line
                samples[line.rsplit(" ", 1)[0]] = float(name.group(3))
                assert name.group(1).endswith("_total") == (families[name.group(1)] == "counter"), line
        assert samples["sekisho_up"] == 1
        assert samples['sekisho_link_packets_total{link="device-his"}'] > 0
        assert samples['sekisho_worker_packets_received_total{worker="0"}'] > 0
        with open(DASHBOARD, encoding="utf-8") as dashboard:
            named = set(re.findall(r"\bsekisho_[a-z_]+", json.dumps([p["targets"] for p in
                                                                    json.load(dashboard)["panels"] if "targets" in p])))
        assert named, "the dashboard asks for nothing"
        assert named <= set(families), "not exported: %s" % sorted(named - set(families))

        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.7)
        assert 'from="device"' in of_socket("/metrics"), "drops by zones"
        assert set(json.loads(of_socket("/v1/clock"))) >= {"synchronised", "jumps", "max_error_us"}
        assert set(_reasons(lab)) <= {"clock", "clock_jump"}, _reasons(lab)
        lab.wait(lambda: json.loads(of_socket("/v1/performance?seconds=5"))["workers"], 20, "two samples")
        rates = json.loads(of_socket("/v1/performance?seconds=5&series=1"))
        assert rates["ports"] and "packets_received_per_s" in rates["workers"][0] and rates["series"], rates
        lab.kill(lab.dataplane)
        lab.wait(lambda: "dataplane" in _reasons(lab), 20, "health to miss the dataplane")
        assert "sekisho_up 0" in of_socket("/metrics")


test_metrics_health_clock_and_performance_tell_what_is.seconds = 150


def test_a_full_disk_stops_no_cut_and_no_packet_and_is_told():
    state = "/var/lib/sekisho"
    os.makedirs(state)
    # The store wants 512 MiB left for the others.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", state], check=True)
    with _lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        device = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(device)
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.5)
        lab.wait(lambda: _events(lab, "--kind", "drop"), 20, "a drop in the store")
        assert not {"disk", "store"} & set(_reasons(lab)), _reasons(lab)
        with open(os.path.join(state, "ballast"), "wb") as ballast:
            try:
                while True:
                    ballast.write(b"x" * (1 << 20))
                    ballast.flush()
            except OSError:
                pass

        def told():
            traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.3)
            return {"disk", "store"} <= set(_reasons(lab))
        lab.wait(told, 30, "health to tell of the disk")
        assert "not stored" in _reasons(lab)["store"], _reasons(lab)
        assert traffic.echo(device), "a full disk stopped a live flow"
        lab.sekisho("cut", "device-his", check=False)
        assert not traffic.echo(device, timeout=1), "a full disk kept a cut from acting"
        os.unlink(os.path.join(state, "ballast"))
        lab.sekisho("reopen", "device-his", check=False)
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000, timeout=20)

        def over():
            traffic.tcp_passes(clinical.a, clinical.b.ip4, 7002, 0.3)
            return not {"disk", "store"} & set(_reasons(lab))
        lab.wait(over, 40, "health to see room again")


test_a_full_disk_stops_no_cut_and_no_packet_and_is_told.seconds = 150


def test_damaged_databases_are_set_aside_and_everything_starts():
    with _lab() as lab:
        maint = lab.wire("maint")
        lab.keep(HttpServer(maint.b))
        assert not _evil(maint)
        lab.wait(lambda: lab.json("incidents", "list")["incidents"], 20, "the incident")
        lab.kill(lab.sekishod)
        for name in ("records.db", "events/00000001.db"):
            path = "/var/lib/sekisho/" + name
            for end in ("-wal", "-shm"):
                if os.path.exists(path + end):
                    os.unlink(path + end)
            with open(path, "wb") as out:
                out.write(b"\xa5" * 50000)
        lab.start_sekishod()
        lab.wait_ready()
        reasons = _reasons(lab)
        assert "moved to" in reasons.get("records", "") and "00000001.db" in reasons.get("store", ""), reasons
        assert lab.json("incidents", "list")["incidents"] == []
        assert not _evil(maint)
        lab.wait(lambda: lab.json("incidents", "list")["incidents"], 20, "an incident in the new file")
        lab.wait(lambda: _events(lab, "--kind", "alert"), 20, "an event in the new segment")


test_damaged_databases_are_set_aside_and_everything_starts.seconds = 150


def test_a_backup_comes_back_on_a_bare_machine_with_every_link_cut():
    os.makedirs("/run/lab/etc")
    with open("/run/lab/etc/assets.csv", "w", encoding="utf-8") as out:
        out.write("address,name\n10.1.0.1,CT-1\n")
    with open("/run/lab/pass", "w", encoding="utf-8") as out:
        out.write("a long enough passphrase\n")
    common = ["--passphrase-file", "/run/lab/pass", "--site", "/run/lab/etc"]
    with _lab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        lab.sekisho("backup", "create", "/run/lab/backup", *common, timeout=60)
        assert lab.sekisho("backup", "restore", "/run/lab/backup", *common, check=False, timeout=60)[0] == 1, \
            "it restored under a running sekishod"
        lab.forget_all_but_the_disk()
        shutil.rmtree("/var/lib/sekisho")
        shutil.rmtree("/run/lab/etc")
        lab.sekisho("backup", "restore", "/run/lab/backup", *common, timeout=60)
        assert os.path.exists("/run/lab/etc/assets.csv")
        os.unlink("/run/lab/sekisho.toml")  # the version that was in force is in the backup
        os.makedirs("/run/lab", exist_ok=True)
        lab.start()
        assert all(link["cut"] for link in lab.status()["links"]), "nobody knows what was cut since the backup"
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.7)
        lab.sekisho("reopen", "all")
        lab.wait_passes(clinical.a, clinical.b.ip4, 7000, timeout=20)
        # In place, under a dataplane that forwards: no pinned word keeps open what the latch no longer tells of.
        lab.kill(lab.sekishod)
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 2), "it forwards without sekishod"
        aside = lab.json("backup", "restore", "/run/lab/backup", *common, "--force", timeout=60)["aside"]
        assert len(aside) == 2 and all(os.path.isdir(path) for path in aside), aside
        lab.start_sekishod()
        lab.wait_ready()
        assert all(link["cut"] for link in lab.status()["links"])
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000, 0.7)


test_a_backup_comes_back_on_a_bare_machine_with_every_link_cut.seconds = 150


def test_the_service_manager_hears_that_it_is_ready_and_alive():
    with Lab(start=False) as lab:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind("/run/lab/notify")
            manager.settimeout(60)
            os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"] = "/run/lab/notify", "1500000"
            lab.start_dataplane()
            heard = [manager.recv(100), manager.recv(100)]
            assert heard == [b"READY=1", b"WATCHDOG=1"], heard
            lab.kill(lab.dataplane)
            lab.dataplane = None
            manager.setblocking(False)
            try:
                while True:
                    manager.recv(100)
            except BlockingIOError:
                pass
            manager.setblocking(True)
            lab.start_sekishod()
            heard = [manager.recv(100), manager.recv(100), manager.recv(100)]
            assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"], heard
