"""Inspection with real clients and servers: what a signature stops, what it leaves alone, and what it survives."""
import datetime
import time

import traffic
from lab import Lab
from web import Download, HttpServer, Recorder, TlsServer, curl, events, tls_handshake

SIGNATURES = "/run/lab/site.rules"
LINKS = """
[[link]]
name = "device-his"
zones = ["device", "his"]
clinical = true
ips = "detect"
[[link]]
name = "vendor"
zones = ["vendor", "his"]
ips = "prevent"
"""
RULES = """
[services]
spoken = { tcp = [80, 443, 7000], udp = [7001] }
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
        'sid:8000001; rev:3;)\n')
WORSE = ('drop http any any -> any any (msg:"e2e worse path"; flow:to_server,established; http.uri; '
         'content:"/worse"; sid:8000002; rev:1;)\n')
MARK = 'drop tcp any any -> any 7000 (msg:"e2e raw mark"; flow:to_server; content:"split-me-please"; sid:8000003; rev:1;)\n'
SNI = 'drop tls any any -> any any (msg:"e2e bad name"; tls.sni; content:"bad.example"; sid:8000004; rev:1;)\n'
# Each is wrong in another way; the set goes on without them.
WRONG = ('drop http any any -> any any (msg:"no such keyword"; http.nonsense; content:"x"; sid:8000011; rev:1;)\n'
         'drop tcp any any -> any any (msg:"bad pcre"; pcre:"/(/"; sid:8000012; rev:1;)\n'
         'this is not a signature at all\n')


def _ips(more="", files=(SIGNATURES,)):
    return ('\n[ips]\nfiles = [%s]\nnew_signatures_detect_for = 0\napp_memory = "64MiB"\nstream_memory = "64MiB"\n%s' %
            (", ".join('"%s"' % name for name in files), more))


def _write(text, path=SIGNATURES):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def _lab(signatures, more=""):
    _write(signatures)
    return Lab(links=LINKS, rules=RULES, extra=_ips(more))


def _apply(lab, check=True):
    lab.write_config("/run/lab/next.toml")
    return lab.sekisho("config", "apply", "/run/lab/next.toml", check=check, timeout=60)


def _url(wire, path):
    return "http://%s%s" % (wire.b.ip4, path)


def _assert_stopped(wire, server, path="/evil"):
    assert curl(wire.a, _url(wire, path)) != 0, "%s was answered" % path
    assert not server.saw(path), "the server has seen %s" % path


def _assert_passes(wire, server, path="/good"):
    assert curl(wire.a, _url(wire, path), seconds=10) == 0, "%s was stopped" % path
    assert server.saw(path)


def _wait_passes(lab, wire, path="/good"):
    lab.wait(lambda: curl(wire.a, _url(wire, path), seconds=1) == 0, 15, "%s over %s" % (path, wire.name))


def _alert(lab, sid, action):
    """Waits for an alert of this signature with this action."""
    def found():
        return [e for e in events("alert", sid) if e["alert"]["action"] == action]
    lab.wait(found, 10, "an alert of %d, %s" % (sid, action))
    return found()[0]


def test_prevent_stops_a_request_and_says_so():
    with _lab(EVIL) as lab:
        maint = lab.wire("maint")
        server = lab.keep(HttpServer(maint.b))
        far = lab.keep(traffic.Capture(maint.b))
        _assert_passes(maint, server)
        assert far.containing(b"GET /good"), "the capture sees nothing"
        _assert_stopped(maint, server)
        assert not far.containing(b"/evil"), "the request crossed the gateway"
        alert = _alert(lab, 8000001, "blocked")
        assert alert["alert"]["signature"] == "e2e evil path" and alert["alert"]["rev"] == 3, alert
        assert alert["http"]["url"] == "/evil" and alert["http"]["hostname"] == maint.b.ip4, alert
        assert alert["src_ip"] == maint.a.ip4 and alert["dest_port"] == 80 and alert["flow_id"] != 0, alert
        assert alert["sekisho"]["link"] == "vendor", alert

        def drop():
            return [e for e in events("drop", 8000001) if e["drop"]["reason"] == "signature"]
        lab.wait(drop, 10, "the drop that names its signature")
        assert drop()[0]["flow_id"] == alert["flow_id"], (drop()[0], alert)

        def counted():
            counters = (lab.status() or {}).get("dataplane", {}).get("inspection", {})
            return counters.get("signature_drops", 0) > 0 and counters.get("inspected_bytes", 0) > 0
        lab.wait(counted, 10, "the counters")
        assert "signature" in lab.sekisho("drops")[1]
        top = lab.json("signatures", "top", "--by", "matches")["signatures"]
        assert top[0]["sid"] == 8000001 and top[0]["matches"] >= 1 and top[0]["judged"] >= top[0]["matches"], top
        _assert_passes(maint, server)


def test_detect_only_alerts():
    with _lab(EVIL) as lab:
        clinical = lab.wire("clinical")
        server = lab.keep(HttpServer(clinical.b))
        _assert_passes(clinical, server, "/evil")
        alert = _alert(lab, 8000001, "allowed")
        assert alert["http"]["url"] == "/evil" and alert["sekisho"]["link"] == "device-his", alert
        assert not events("drop", 8000001)


def test_a_pattern_in_two_segments_is_stopped_at_the_second():
    with _lab(EVIL + MARK) as lab:
        maint = lab.wire("maint")
        raw, web = lab.keep(Recorder(maint.b, 7000)), lab.keep(Recorder(maint.b, 80))
        far = lab.keep(traffic.Capture(maint.b))
        for sink, port, first, second in ((raw, 7000, b"first split-me", b"-please last"),
                                          (web, 80, b"GET /ev", b"il HTTP/1.1\r\nHost: x\r\n\r\n")):
            tcp = traffic.connect(maint.a, maint.b.ip4, port, timeout=5)
            tcp.sendall(first)
            lab.wait(lambda: sink.data == first, 10, "the first segment to arrive")
            tcp.sendall(second)
            _alert(lab, 8000003 if port == 7000 else 8000001, "blocked")
            time.sleep(0.5)  # the client's kernel tries again meanwhile
            assert sink.data == first, sink.data
            assert not far.containing(second)
            tcp.close()


def test_new_signatures_under_a_running_download():
    with _lab(EVIL) as lab:
        maint = lab.wire("maint")
        server = lab.keep(HttpServer(maint.b))
        lab.keep(traffic.EchoServer(maint.b, 7000))
        echo = traffic.connect(maint.a, maint.b.ip4, 7000, timeout=5)
        download = lab.keep(Download(maint.a, _url(maint, "/stream"), "/run/lab/stream"))
        lab.wait(lambda: server.sent_bytes > 1 << 20, 20, "the download to run")
        _assert_passes(maint, server, "/worse")
        server.requests.clear()
        _write(EVIL + WORSE)
        _apply(lab)
        at = server.sent_bytes
        _assert_stopped(maint, server, "/worse")
        _assert_stopped(maint, server)
        lab.wait(lambda: server.sent_bytes > at + (1 << 20), 20, "the download to go on")
        assert traffic.echo(echo, timeout=5), "a connection broke"
        # A request on a connection that is older than the new signatures is judged by them as well.
        _write(EVIL + WORSE + MARK)
        _apply(lab)
        assert not traffic.echo(echo, b"split-me-please", timeout=1.5), "the new signature leaves live flows alone"
        _alert(lab, 8000003, "blocked")
        server.release.set()
        assert download.process.wait(20) == 0, "curl: %s" % download.process.returncode
        assert download.hash() == server.sent.hexdigest(), "the download is damaged"


def test_bad_signatures_are_listed_and_a_bad_file_changes_nothing():
    with _lab(EVIL + WRONG) as lab:
        maint = lab.wire("maint")
        server = lab.keep(HttpServer(maint.b))
        _assert_stopped(maint, server)
        rejected = lab.json("signatures", "list", "--rejected")
        assert rejected["total"] == 3, rejected
        for line, sid in ((2, 8000011), (3, 8000012), (4, None)):
            assert [r for r in rejected["rejected"] if "%s:%d:" % (SIGNATURES, line) in str(r) and
                    (sid is None or str(sid) in str(r))], (line, rejected)
        for name, text, said in (("missing.rules", None, "missing.rules"), ("wrong.rules", WRONG, "no signature")):
            path = "/run/lab/" + name
            if text is not None:
                _write(text, path)
            lab._extra = _ips(files=(path,))
            status, out, err = _apply(lab, check=False)
            assert status != 0 and said in out + err, (status, out, err)
        server.requests.clear()
        _assert_passes(maint, server)
        _assert_stopped(maint, server)


def test_a_cut_while_a_download_is_inspected():
    with _lab(EVIL) as lab:
        clinical, maint = lab.wire("clinical"), lab.wire("maint")
        server = lab.keep(HttpServer(maint.b))
        care = lab.keep(HttpServer(clinical.b))
        lab.keep(Download(maint.a, _url(maint, "/stream"), "/dev/null"))
        lab.wait(lambda: server.sent_bytes > 1 << 20, 20, "the download to run")
        near, far = lab.keep(traffic.Capture(maint.a)), lab.keep(traffic.Capture(maint.b))
        lab.wait(lambda: near.incoming() and far.incoming(), 10, "the download in the captures")
        receipt = lab.json("cut", "vendor", "--reason", "e2e")
        since = time.monotonic()
        assert receipt["outcome"] == "CONFIRMED" and receipt["latched"] is True, receipt
        time.sleep(1.0)
        assert not near.incoming(since) and not far.incoming(since), "frames crossed a cut link"
        _assert_passes(clinical, care)
        lab.sekisho("reopen", "vendor", "--reason", "e2e")
        _wait_passes(lab, maint)
        _assert_stopped(maint, server)


def test_prevention_survives_the_death_of_each():
    with _lab(EVIL) as lab:
        maint = lab.wire("maint")
        server = lab.keep(HttpServer(maint.b))
        _assert_stopped(maint, server)
        lab.kill(lab.sekishod)
        _assert_passes(maint, server)
        _assert_stopped(maint, server)
        lab.start_sekishod()
        lab.wait_ready()
        _assert_stopped(maint, server)
        lab.kill(lab.dataplane)
        assert curl(maint.a, _url(maint, "/good"), seconds=1) != 0, "traffic passed without a dataplane"
        _assert_stopped(maint, server)
        lab.start_dataplane()
        lab.wait_ready()
        _wait_passes(lab, maint)
        _assert_stopped(maint, server)


def test_an_exception_lets_one_host_through():
    until = datetime.date.today() + datetime.timedelta(days=3)
    exception = ('[[ips.exception]]\nsid = 8000001\naddresses = "10.2.0.9"\nuntil = %s\nreason = "ticket 1"\n' %
                 until.isoformat())
    with _lab(EVIL, exception) as lab:
        maint = lab.wire("maint")
        server = lab.keep(HttpServer(maint.b))
        maint.a.command("ip", "addr", "add", "10.2.0.9/24", "dev", "eth0")
        _assert_stopped(maint, server)
        assert curl(maint.a, _url(maint, "/evil"), "--interface", "10.2.0.9", seconds=10) == 0
        assert server.saw("/evil")
        lab._extra = _ips()
        _apply(lab)
        server.requests.clear()
        assert curl(maint.a, _url(maint, "/evil"), "--interface", "10.2.0.9") != 0 and not server.saw("/evil")


def test_a_name_in_a_tls_handshake():
    with _lab(SNI) as lab:
        maint = lab.wire("maint")
        server = TlsServer(maint.b)
        lab.wait(lambda: tls_handshake(maint.a, maint.b.ip4, "good.example"), 15, "a handshake")
        far = lab.keep(traffic.Capture(maint.b))
        assert not tls_handshake(maint.a, maint.b.ip4, "bad.example"), "a handshake for a bad name was made"
        assert not far.containing(b"bad.example")
        alert = _alert(lab, 8000004, "blocked")
        assert alert["tls"]["sni"] == "bad.example", alert
        server.close()  # it serves one client at a time, and still waits for that one
        server = lab.keep(TlsServer(maint.b))
        lab.wait(lambda: tls_handshake(maint.a, maint.b.ip4, "good.example"), 15, "a handshake after it")


for _name, _test in list(globals().items()):
    if _name.startswith("test_"):
        _test.seconds = 120
