"""The flight recorder: what an alert, a cut and a person get out of it, and that opening a capture is on record."""
import json
import os
import struct

import traffic
from lab import Lab
from pcapng import frames_of
from web import HttpServer, curl, events

SIGNATURES = "/run/lab/site.rules"
EVIL = ('drop http any any -> any any (msg:"e2e evil path"; flow:to_server,established; http.uri; content:"/evil"; '
        'sid:8000001; rev:3; priority:1;)\n'
        'alert http any any -> any any (msg:"e2e odd path"; flow:to_server,established; http.uri; content:"/odd"; '
        'sid:8000002; rev:1; priority:3;)\n')
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
dicom = { tcp = 11112 }
[[rule]]
name = "devices"
from = "device"
to = "his"
service = ["spoken", "dicom"]
action = "accept"
[[rule]]
name = "vendors"
from = "vendor"
to = "his"
service = ["spoken", "dicom"]
action = "accept"
"""
IPS = '\n[ips]\nfiles = ["%s"]\nnew_signatures_detect_for = 0\napp_memory = "64MiB"\nstream_memory = "64MiB"\n' % SIGNATURES


def _lab(more=""):
    with open(SIGNATURES, "w", encoding="utf-8") as out:
        out.write(EVIL)
    return Lab(links=LINKS, rules=RULES, extra=IPS + "[recorder]\nmemory_mb = 4\n" + more)


def _captures(lab, kind):
    return [c for c in lab.json("capture", "list")["captures"] if c.get("kind") == kind]


def _wait_capture(lab, kind, count=1):
    lab.wait(lambda: len(_captures(lab, kind)) >= count, 20, "a capture of kind %s" % kind)
    return _captures(lab, kind)


def _export(lab, capture, reason="e2e"):
    path = "/run/lab/%s.pcapng" % capture["id"]
    lab.sekisho("capture", "export", capture["id"], "--out", path, "--reason", reason)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "rb") as file:
        return file.read()


def _audit(action):
    with open("/var/lib/sekisho/audit/audit.jsonl", encoding="utf-8") as log:
        return [r for r in map(json.loads, log) if r["action"] == action]


def test_an_alert_writes_its_flow_and_opening_it_is_on_record():
    with _lab() as lab:
        maint = lab.wire("maint")
        server = lab.keep(HttpServer(maint.b))
        lab.keep(traffic.EchoServer(maint.b, 7000))
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000), "somebody else's flow"
        assert curl(maint.a, "http://%s/odd" % maint.b.ip4) == 0
        assert curl(maint.a, "http://%s/evil" % maint.b.ip4) != 0
        assert not server.saw("/evil")
        lab.wait(lambda: events("alert", 8000002), 10, "the alert of low priority")
        captures = _wait_capture(lab, "alert")
        assert len(captures) == 1 and captures[0]["sid"] == 8000001, captures
        capture = captures[0]
        assert "e2e evil path" in capture["why"] and capture["packets"] >= 4, capture
        alert = events("alert", 8000001)[0]
        assert capture["flow_id"] == alert["flow_id"], (capture, alert)
        raw = "/var/lib/sekisho/captures/%s.skcap" % capture["id"]
        with open(raw, "rb") as file:
            assert b"evil" not in file.read(), "a capture lies there in clear"
        assert os.stat(raw).st_mode & 0o777 == 0o600
        assert "e2e evil path" in lab.sekisho("capture", "show", capture["id"])[1]
        assert not _audit("capture.open"), "looking at the list opens nothing"

        frames = frames_of(_export(lab, capture, "who was it"))
        assert len(frames) == capture["packets"]
        request = [(f, c) for f, _, c in frames if b"GET /evil" in f]
        assert request and "e2e evil path" in request[0][1] and "dropped: signature" in request[0][1], frames
        assert all(struct.unpack_from(">HH", f, 34).count(80) == 1 for f, _, _ in frames), "another flow's packets"
        assert not any(b"/odd" in f for f, _, _ in frames)
        opened = _audit("capture.open")
        assert len(opened) == 1 and opened[0]["details"]["capture"] == capture["id"], opened
        assert opened[0]["details"]["reason"] == "who was it" and opened[0]["name"], opened
        assert _audit("capture.made")
        lab.sekisho("audit", "verify")
        assert lab.sekisho("capture", "export", capture["id"], "--out", "/run/lab/%s.pcapng" % capture["id"],
                           check=False)[0] == 1, "an export is not written over"
        with open(raw, "r+b") as file:
            file.seek(500)
            byte = file.read(1)
            file.seek(500)
            file.write(bytes([byte[0] ^ 1]))
        assert lab.sekisho("capture", "export", capture["id"], "--out", "/run/lab/other.pcapng", check=False)[0] == 1
        assert not os.path.exists("/run/lab/other.pcapng")


def test_a_cut_writes_its_link_with_what_was_dropped_there():
    with _lab() as lab:
        maint, clinical = lab.wire("maint"), lab.wire("clinical")
        for wire in (maint, clinical):
            lab.keep(traffic.EchoServer(wire.b, 7000))
            assert traffic.tcp_passes(wire.a, wire.b.ip4, 7000)
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7002, 0.6)
        lab.sekisho("cut", "vendor", "--reason", "flood")
        capture = _wait_capture(lab, "cut")[0]
        assert capture["subject"] == "link vendor" and "flood" in capture["why"], capture
        frames = frames_of(_export(lab, capture))
        addresses = {f[26:34] for f, _, _ in frames if f[12:14] == b"\x08\x00"}
        ends = {bytes(map(int, h.ip4.split("."))) for h in (maint.a, maint.b)}
        assert frames and all({a[:4], a[4:]} == ends for a in addresses), addresses
        assert any("dropped: policy_default" in c for _, _, c in frames), "the dropped ones are there"
        lab.sekisho("reopen", "vendor", "--reason", "done")
        assert len(_captures(lab, "cut")) == 1


def test_a_capture_now_has_headers_of_patients_data_only_and_outlives_the_dataplane():
    with _lab() as lab:
        maint, clinical = lab.wire("maint"), lab.wire("clinical")
        for wire, port in ((maint, 7000), (maint, 11112), (clinical, 7000)):
            lab.keep(traffic.EchoServer(wire.b, port))
            tcp = traffic.connect(wire.a, wire.b.ip4, port)
            assert traffic.echo(tcp, b"YAMADA^TARO" + b"." * 500)
            tcp.close()
        lab.kill(lab.dataplane)
        capture = lab.json("capture", "now", "--host", maint.a.ip4, "--seconds", "600")
        frames = frames_of(_export(lab, capture))
        plain = [f for f, _, _ in frames if 7000 in struct.unpack_from(">HH", f, 34)]
        dicom = [(f, n, c) for f, n, c in frames if 11112 in struct.unpack_from(">HH", f, 34)]
        assert any(b"YAMADA" in f for f in plain) and max(map(len, plain)) == 256
        assert dicom and not any(b"YAMADA" in f for f, _, _ in dicom)
        assert any(n > 500 and len(f) < 80 and "withheld" in c for f, n, c in dicom), dicom
        capture = lab.json("capture", "now", "--link", "device-his")
        frames = frames_of(_export(lab, capture))
        assert frames and not any(b"YAMADA" in f for f, _, _ in frames), "payload of a clinical link"
        for wrong in (["--link", "moon"], ["--host", "moon"]):
            assert lab.sekisho("capture", "now", *wrong, check=False)[0] == 1
        assert lab.sekisho("capture", "export", "20261123T120102Z-0007", "--out", "/run/lab/x", check=False)[0] == 1
