"""Playbooks, drills, notices and evidence with real processes; receivers of notices are on the gateway's loopback."""
import base64
import hashlib
import http.server
import json
import os
import select
import signal
import socket
import socketserver
import ssl
import subprocess
import tarfile
import threading
import time

import traffic
from lab import BUILD, Lab

PLAYBOOK = """
[[playbook]]
name = "ransomware"
title_ja = "ランサムウェア"
[[playbook.step]]
cut = "vendor"
[[playbook.step]]
pause = "judge the spread"
[[playbook.step]]
cut = "device-his"
[[playbook.reopen]]
targets = "device-his"
condition = "clinical first"
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Web:
    """Takes webhooks; `start` and `stop` as a receiver that is up or down, always on the same port."""

    def __init__(self):
        self.port, self.bodies, self._server = free_port(), [], None

    def start(self):
        bodies = self.bodies

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def toml(self, name="hook"):
        return '[[notice]]\nname = "%s"\nvia = "webhook"\nurl = "http://127.0.0.1:%d/"\nlanguage = "en"\n' % (
            name, self.port)

    def kinds(self):
        return [b["kind"] for b in self.bodies]


class Mail:
    """An SMTP server that keeps what it is told."""

    def __init__(self):
        self.letters = letters = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 mail\r\n")
                for line in self.rfile:
                    word = line.strip().upper()
                    if word.startswith(b"DATA"):
                        self.wfile.write(b"354 go on\r\n")
                        letter = b""
                        for part in self.rfile:
                            if part == b".\r\n":
                                break
                            letter += part
                        letters.append(letter)
                        self.wfile.write(b"250 kept\r\n")
                    elif word.startswith(b"QUIT"):
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 ok\r\n")
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class TlsSyslog:
    def __init__(self, folder):
        self.frames = []
        self.ca = os.path.join(folder, "siem.pem")
        key = os.path.join(folder, "siem.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.ca,
                        "-days", "2", "-subj", "/CN=siem", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

        def serve():
            while True:
                try:
                    plain, _ = self._socket.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) as one:
                        data = b""
                        while True:
                            more = one.recv(65536)
                            if not more:
                                break
                            data += more
                        self.frames.append(data.decode())
                        one.unwrap()
                except OSError:
                    pass
        threading.Thread(target=serve, daemon=True).start()

    def close(self):
        self._socket.close()


def run_id(text):
    return next(line for line in text.splitlines() if "-p" in line).split()[0]


def test_notices_wait_while_the_receiver_is_down_and_sekishod_restarts():
    web = Web()
    with Lab(extra=web.toml()) as lab:
        lab.keep(web)
        lab.sekisho("cut", "vendor", "--reason", "first")
        lab.wait(lambda: lab.json("notice", "list")["receivers"][0]["queued"] >= 1, 30, "the notice to wait")
        lab.wait(lambda: lab.json("notice", "list")["receivers"][0]["last_error"], 30, "a failed try")
        lab.kill(lab.sekishod)
        lab.start_sekishod()
        lab.wait_ready()
        lab.sekisho("reopen", "vendor", "--reason", "second")
        assert lab.sekisho("notice", "test", "hook", check=False)[0] == 1
        web.start()
        lab.wait(lambda: "reopen" in web.kinds(), 120, "what waited to arrive")
        kinds = web.kinds()
        assert kinds.index("cut") < kinds.index("reopen"), kinds
        cut = web.bodies[kinds.index("cut")]
        assert cut["fields"]["reason"] == "first" and len(cut["audit"]["hash"]) == 64, cut
        assert lab.sekisho("notice", "test", "hook")[0] == 0
        assert "test" in web.kinds()


def test_mail_in_japanese_and_cef_over_tls():
    os.makedirs("/run/lab", exist_ok=True)
    mail, siem = Mail(), TlsSyslog("/run/lab")
    extra = ('[[notice]]\nname = "mail"\nvia = "smtp"\nurl = "smtp://127.0.0.1:%d"\ntls = "off"\n'
             'from = "gw@hospital.example"\nto = "csirt@hospital.example"\nkinds = ["cut"]\n'
             '[[notice]]\nname = "siem"\nvia = "syslog"\nhost = "127.0.0.1"\nport = %d\nca_file = "%s"\n'
             'format = "cef"\nlanguage = "en"\n' % (mail.port, siem.port, siem.ca))
    with Lab(extra=extra) as lab:
        lab.keep(mail)
        lab.keep(siem)
        lab.sekisho("cut", "vendor", "--reason", "RDP flood")
        lab.wait(lambda: mail.letters, 60, "the mail")
        header, body = mail.letters[0].split(b"\r\n\r\n", 1)
        text = base64.b64decode(body).decode()
        assert "遮断: vendor" in text and "RDP flood" in text and "監査ログの先頭" in text, text
        assert b"X-Sekisho-Audit: " in header
        lab.wait(lambda: any("|cut|" in f for f in siem.frames), 60, "the CEF record")
        frame = next(f for f in siem.frames if "|cut|" in f)
        size, message = frame.split(" ", 1)
        assert int(size) == len(message.encode()), frame
        assert "CEF:0|Sekisho|Sekisho|1|cut|Cut: vendor|10|" in message, message


def test_playbook_pauses_goes_on_and_is_interrupted_by_a_restart():
    with Lab(extra=PLAYBOOK) as lab:
        clinical, maint = lab.wire("clinical"), lab.wire("maint")
        for wire in (clinical, maint):
            lab.keep(traffic.EchoServer(wire.b, 7000))
            assert traffic.tcp_passes(wire.a, wire.b.ip4, 7000)
        run = run_id(lab.sekisho("playbook", "run", "ransomware", "--reason", "encrypted files")[1])
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000)
        code, _, error = lab.sekisho("playbook", "run", "ransomware", check=False)
        assert code == 1 and "already_running" in error and run in error, error
        lab.sekisho("playbook", "continue", run)
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000)
        done = lab.json("playbook", "runs", run)["run"]
        assert done["state"] == "finished" and all(s["done"] for s in done["steps"]), done
        assert lab.sekisho("receipt", done["steps"][2]["receipt"])[0] == 0
        lab.sekisho("reopen", "all")

        second = run_id(lab.sekisho("playbook", "run", "ransomware")[1])
        lab.kill(lab.sekishod)
        lab.start_sekishod()
        lab.wait_ready()
        shown = lab.json("playbook", "runs", second)["run"]
        assert shown["state"] == "interrupted" and shown["at"] == 1, shown
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000), "what was cut stays cut"
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000), "nothing was continued"
        assert lab.sekisho("audit", "verify")[0] == 0


def test_drill_cuts_nothing_counts_and_is_marked():
    web = Web()
    with Lab(extra=PLAYBOOK + web.toml()) as lab:
        lab.keep(web)
        web.start()
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        tcp = traffic.connect(maint.a, maint.b.ip4, 7000)
        assert traffic.echo(tcp)
        answer = {}
        thread = threading.Thread(target=lambda: answer.update(
            lab.json("drill", "run", "vendor", "--for", "5s", timeout=60)))
        thread.start()
        end = time.time() + 4
        while time.time() < end:
            assert traffic.echo(tcp), "a drill cuts nothing"
            time.sleep(0.1)
        thread.join()
        counted = answer["run"]["steps"][0]["would_drop"][0]
        assert counted["link"] == "vendor" and counted["flows_ended"] >= 1 and counted["packets"] >= 20, counted
        assert "DRILL" in lab.sekisho("drill", "report")[1]
        lab.wait(lambda: "cut" in web.kinds(), 60, "the drill's notice")
        drill = web.bodies[web.kinds().index("cut")]
        assert drill["drill"] and drill["title"].startswith("[DRILL] "), drill
        assert not any(l["cut"] for l in lab.status()["links"])
        tcp.close()


def test_evidence_of_a_cut_is_signed_and_its_opening_audited():
    with Lab() as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        tcp = traffic.connect(maint.a, maint.b.ip4, 7000)
        assert traffic.echo(tcp)
        receipt = lab.json("cut", "vendor", "--reason", "evidence")["id"]
        lab.wait(lambda: [e["id"] for e in lab.json("evidence", "list")["evidence"]] == [receipt], 60, "the archive")
        lab.sekisho("evidence", "verify", receipt)
        lab.sekisho("evidence", "export", receipt, "/run/lab/evidence.tar")
        lab.sekisho("evidence", "verify", "/run/lab/evidence.tar")
        with tarfile.open("/run/lab/evidence.tar") as archive:
            raw = {m.name: archive.extractfile(m).read() for m in archive}
        members = {name: content.decode("utf-8", "replace") for name, content in raw.items()}
        assert json.loads(members["receipt.json"])["reason"] == "evidence"
        assert maint.a.ip4 in members["flows-ended.jsonl"], members["flows-ended.jsonl"]
        assert len(json.loads(members["site.json"])["config_sha256"]) == 64
        # What the recorder had of the link, sealed; it opens out of the archive when its own file is gone.
        capture, = json.loads(members["captures.json"])["captures"]
        assert capture["subject"] == "link vendor" and capture["packets"] > 0, capture
        assert hashlib.sha256(raw[capture["member"]]).hexdigest() == capture["sha256"], capture
        assert socket.inet_aton(maint.a.ip4) + socket.inet_aton(maint.b.ip4) not in raw[capture["member"]], "not sealed"
        for name in os.listdir("/var/lib/sekisho/captures"):
            if name.endswith(".skcap"):
                os.unlink("/var/lib/sekisho/captures/" + name)
        lab.sekisho("capture", "export", capture["id"], "--evidence", receipt, "--out", "/run/lab/cut.pcapng", "--reason", "e2e")
        with open("/run/lab/cut.pcapng", "rb") as file:
            assert socket.inet_aton(maint.a.ip4) + socket.inet_aton(maint.b.ip4) in file.read()
        with open("/run/lab/evidence.tar", "r+b") as out:
            out.seek(600)
            out.write(b"X")
        assert lab.sekisho("evidence", "verify", "/run/lab/evidence.tar", check=False)[0] == 1
        assert lab.sekisho("evidence", "export", "20200101T000000Z-0001", "/run/lab/none.tar", check=False)[0] == 1
        with open("/var/lib/sekisho/audit/audit.jsonl", encoding="utf-8") as log:
            opened = log.read()
        assert any('"evidence.open"' in line and receipt in line for line in opened.splitlines())
        assert any('"capture.open"' in line and receipt in line for line in opened.splitlines())
        tcp.close()


def test_a_full_disk_fails_the_evidence_by_name_and_not_the_cut():
    with Lab(start=False) as lab:
        os.makedirs("/var/lib/sekisho/evidence", exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "/var/lib/sekisho/evidence"], check=True)
        lab.start()
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        receipt = lab.json("cut", "vendor")
        assert receipt["outcome"] == "CONFIRMED" and receipt["latched"], receipt
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        lab.wait(lambda: "No space" in lab.json("evidence", "list")["last_failure"], 60, "the named failure")


class Terminal:
    """sekisho-menu on a pseudo terminal, as nobody."""

    def __init__(self):
        import pty
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.setgid(65534)
            os.setuid(65534)
            os.execv(os.path.join(BUILD, "sekisho-menu"), ["sekisho-menu", "--en"])
        self.seen = ""

    def expect(self, text, timeout=30):
        end = time.monotonic() + timeout
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], "no %r in %r" % (text, self.seen)
            self.seen += os.read(self.fd, 4096).decode("utf-8", "replace")
        self.seen = self.seen.split(text, 1)[1]

    def type(self, text):
        os.write(self.fd, text.encode() + b"\n")

    def close(self):
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


def test_menu_cuts_without_root_and_without_the_management_network():
    with Lab(start=False) as lab:
        lab.start_dataplane()
        lab.sekishod = lab._spawn("sekishod", "--config", "/run/lab/sekisho.toml", "--menu-group", "65534")
        lab.wait_ready()
        maint, clinical = lab.wire("maint"), lab.wire("clinical")
        for wire in (maint, clinical):
            lab.keep(traffic.EchoServer(wire.b, 7000))
            assert traffic.tcp_passes(wire.a, wire.b.ip4, 7000)
        done = subprocess.run([os.path.join(BUILD, "sekisho"), "menu", "pin"], input="314159\n", text=True,
                              stdout=subprocess.PIPE)
        assert done.returncode == 0 and "set" in done.stdout, done
        screen = lab.keep(Terminal())
        screen.expect("PIN: ")
        screen.type("000000")
        screen.expect("this is not the PIN")
        screen.expect("PIN: ")
        screen.type("314159")
        screen.expect("2  cut vendor")
        screen.type("2")
        screen.expect("CONFIRMED")
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        screen.expect("[CUT]")
        screen.type("1")
        screen.expect("This stops care")
        screen.type("n")
        screen.expect("lock")
        assert traffic.tcp_passes(clinical.a, clinical.b.ip4, 7000), "asked once more, and not meant"
        screen.type("u")
        screen.expect("Take it back?")
        screen.type("1")
        screen.expect("CONFIRMED")
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        with open("/var/lib/sekisho/audit/audit.jsonl", encoding="utf-8") as log:
            text = log.read()
        assert '"menu.unlock"' in text and '"menu.refused"' in text and "314159" not in text


def test_card_tells_this_site_in_both_languages():
    with Lab(extra=PLAYBOOK) as lab:
        lab.sekisho("card", "--out", "/run/lab/card.pdf")
        text = subprocess.run(["pdftotext", "-layout", "/run/lab/card.pdf", "-"], check=True,
                              stdout=subprocess.PIPE).stdout.decode()
        fonts = subprocess.run(["pdffonts", "/run/lab/card.pdf"], check=True, stdout=subprocess.PIPE).stdout.decode()
        for words in ("当直カード", "sekisho cut vendor", "sekisho cut device-his", "診療系", "port ",
                      lab.wire("maint").a.gateway_interface, "sekisho playbook run ransomware", "When in doubt, cut"):
            assert words in text, (words, text)
        rows = fonts.splitlines()[2:]
        assert rows and all(" yes " in row for row in rows), "every font is embedded: %s" % fonts


# Restarts, and receivers that are tried again after a while.
test_notices_wait_while_the_receiver_is_down_and_sekishod_restarts.seconds = 180
test_playbook_pauses_goes_on_and_is_interrupted_by_a_restart.seconds = 120
test_menu_cuts_without_root_and_without_the_management_network.seconds = 120
