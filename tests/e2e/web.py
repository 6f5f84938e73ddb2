"""Real clients and servers of what is inspected: HTTP, TLS, and the event log that says what was found."""
import hashlib
import http.server
import json
import socket
import subprocess
import threading

EVE = "/var/log/sekisho/eve.json"


class HttpServer:
    """HTTP/1.1 on one port of a host. GET /stream sends until `release` is set; anything else is answered shortly.

    `requests` has each request line that arrived whole, `sent` the SHA-256 of what /stream has given."""

    def __init__(self, host, port=80):
        self.requests, self.sent, self.sent_bytes = [], hashlib.sha256(), 0
        self.release = threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                owner.requests.append(self.requestline)
                self.send_response(200)
                if self.path == "/stream":
                    self.send_header("Connection", "close")
                    self.end_headers()
                    owner._stream(self.wfile)
                    self.close_connection = True
                else:
                    self.send_header("Content-Length", "3")
                    self.end_headers()
                    self.wfile.write(b"ok\n")

            def log_message(self, *_):
                pass

        with host:
            self._server = http.server.ThreadingHTTPServer((host.ip4, port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a peer that was cut off is what the tests are about
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _stream(self, out):
        number = 0
        while not self.release.wait(0.005):
            piece = b"%016d" % number * 1024
            out.write(piece)
            self.sent.update(piece)
            self.sent_bytes += len(piece)
            number += 1

    def saw(self, path):
        return any(line.split()[1] == path for line in list(self.requests))

    def close(self):
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


class Recorder:
    """Accepts TCP on one port and keeps every byte that comes."""

    def __init__(self, host, port):
        self.data = b""
        with host:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host.ip4, port))
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._read, args=(peer,), daemon=True).start()

    def _read(self, peer):
        with peer:
            try:
                while piece := peer.recv(65536):
                    self.data += piece
            except OSError:
                return

    def close(self):
        self._socket.close()


class Download:
    """A curl that runs beside the test."""

    def __init__(self, host, url, path):
        self.path = path
        with host:
            self.process = subprocess.Popen(["curl", "-s", "-o", path, url], stdin=subprocess.DEVNULL)

    def hash(self):
        with open(self.path, "rb") as data:
            return hashlib.sha256(data.read()).hexdigest()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def curl(host, url, *options, seconds=3):
    """curl's exit code: 0 answered, 28 nothing came, 52 and 56 ended by the gateway."""
    with host:
        return subprocess.run(["curl", "-s", "-o", "/dev/null", "--max-time", str(seconds), *options, url],
                              stdin=subprocess.DEVNULL, timeout=seconds + 20).returncode


class TlsServer:
    """openssl s_server on port 443 of a host."""

    def __init__(self, host, folder="/run/lab"):
        key, certificate = folder + "/key.pem", folder + "/certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=e2e", "-keyout", key, "-out", certificate], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with host:
            self._process = subprocess.Popen(["openssl", "s_server", "-quiet", "-www", "-accept", "443", "-key", key,
                                              "-cert", certificate], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self._process.kill()
        self._process.wait()


def tls_handshake(host, address, name, seconds=4):
    """Whether openssl s_client gets through a handshake for `name`."""
    with host:
        done = subprocess.run(["timeout", str(seconds), "openssl", "s_client", "-connect", address + ":443",
                               "-servername", name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds + 20)
    return "Cipher is TLS" in done.stdout


def events(kind, sid=None):
    """The event log's lines of one type, of one signature where `sid` is given."""
    found = []
    try:
        with open(EVE, encoding="utf-8") as log:
            for line in log:
                if not line.endswith("\n"):
                    break  # being written
                event = json.loads(line)
                if event["event_type"] != kind:
                    continue
                if sid is None or event.get("alert", {}).get("signature_id") == sid:
                    found.append(event)
    except FileNotFoundError:
        pass
    return found


def of_socket(path):
    """What sekishod answers on its own socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect("/run/sekisho/api.sock")
        s.sendall(("GET %s HTTP/1.0\r\nHost: x\r\n\r\n" % path).encode())
        answer = b""
        while True:
            part = s.recv(65536)
            if not part:
                break
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"200", answer[:500]
    return body.decode()
