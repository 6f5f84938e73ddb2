"""sekisho-api beside a lab, and people who use it: TLS, cookies, second factors. Standard library only."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import struct
import subprocess
import time

from lab import BUILD, Lab

USER = "64998:64999"
GROUP = "64999"
ADDRESS, PORT = "127.0.0.1", 8443
PASSWORD = "correct horse battery"
FRONT = "/run/sekisho-front"
CONSOLE = "/run/lab/console"
PEOPLE = """
[people]
[api]
listen = "%s:%d"
connections = 3000
connections_per_address = 100
""" % (ADDRESS, PORT)


class FrontLab(Lab):
    """A lab whose people come in by TLS."""

    def __init__(self, people=PEOPLE, **options):
        super().__init__(extra=people, **options)
        self.sekishod_options = ("--api-group", GROUP)
        self.api = None

    def start(self):
        super().start()
        self.start_api()

    def start_api(self):
        os.makedirs(CONSOLE + "/assets", exist_ok=True)
        for name, text in (("index.html", "<p>console</p>"), ("assets/app-1.js", "let a = 1;"),
                           ("assets/app-1.js.gz", "packed")):
            with open(os.path.join(CONSOLE, name), "w", encoding="utf-8") as out:
                out.write(text)
        self.api = self._spawn("sekisho-api", "--user", USER, "--console", CONSOLE)
        self.wait(lambda: self.answers(), 30, "sekisho-api to listen")

    def answers(self):
        assert self.api.poll() is None, "sekisho-api ended with %s" % self.api.returncode
        try:
            return Browser().get("/").status == 200
        except ssl.SSLCertVerificationError:
            return True  # it listens, with a certificate that has ended
        except OSError:
            return False

    def __exit__(self, kind, *rest):
        if kind is not None and os.path.exists("/var/log/sekisho/sekisho-api.log"):
            with open("/var/log/sekisho/sekisho-api.log", encoding="utf-8", errors="replace") as log:
                print("--- sekisho-api\n%s" % log.read()[-4000:])
        if self.api is not None and self.api.poll() is None:
            self.api.kill()
            self.api.wait()
        super().__exit__(kind, *rest)

    def first_admin(self, name="admin"):
        with open("/var/lib/sekisho/setup-link", encoding="ascii") as link:
            return Person(name, link.read().strip())

    def person(self, name, *roles):
        added = self.json("user", "add", name, *[x for role in roles for x in ("--role", role)])
        return Person(name, added["link"])

    def audit(self, action):
        with open("/var/lib/sekisho/audit/audit.jsonl", encoding="utf-8") as log:
            return [one for one in map(json.loads, log) if one["action"] == action]


def tls_context():
    context = ssl.create_default_context(cafile=FRONT + "/cert.pem")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode("utf-8", "replace")
        try:
            self.json = json.loads(self.text)
        except ValueError:
            self.json = None

    @property
    def error(self):
        return (self.json or {}).get("error", {}).get("name")


class Browser:
    """One cookie, one CSRF word; a connection for each request unless `keep`."""

    def __init__(self, source="127.0.0.1", keep=False):
        self.source, self.keep = source, keep
        self.cookie = self.csrf = self._connection = None

    def ask(self, method, path, body=None, headers=None, csrf=True):
        connection = self._connection or http.client.HTTPSConnection(
            ADDRESS, PORT, context=tls_context(), timeout=60, source_address=(self.source, 0))
        sent = {"Content-Type": "application/json"} if method == "POST" else {}
        if self.cookie:
            sent["Cookie"] = "sekisho_session=" + self.cookie
        if self.csrf and csrf and method == "POST":
            sent["X-Sekisho-CSRF"] = self.csrf
        sent.update(headers or {})
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = Answer(connection.getresponse())
        if self.keep:
            self._connection = connection
        else:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            if name == "sekisho_session":
                self.cookie = value
        if answer.json and "csrf" in answer.json:
            self.csrf = answer.json["csrf"]
        return answer

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.ask("POST", path, body if body is not None else {}, **options)


class Person(Browser):
    """Somebody who has followed a one-time link and is logged in."""

    def __init__(self, name, link):
        super().__init__()
        self.name = name
        self.last_step = 0
        begun = self.post("/v1/setup", {"link": link, "user": name, "password": PASSWORD})
        assert begun.status == 200, begun.text
        self.secret = begun.json["secret"]
        self.set_up = self.post("/v1/totp", {"code": self.code()})
        assert self.set_up.status == 200, self.set_up.text

    def code(self):
        """The next code that has not been used: waits, if need be."""
        while int(time.time()) // 30 + 1 <= self.last_step:
            time.sleep(0.5)
        step = max(int(time.time()) // 30, self.last_step + 1)
        self.last_step = step
        mac = hmac.new(base64.b32decode(self.secret), struct.pack(">Q", step), hashlib.sha1).digest()
        at = mac[19] & 15
        return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 1000000)

    def log_in(self, **options):
        return self.post("/v1/login", {"user": self.name, "password": PASSWORD, "code": self.code()}, **options)


def raw(data, seconds=20.0, context=None):
    """Sends bytes over TLS; what comes back until the end."""
    with socket.create_connection((ADDRESS, PORT), timeout=seconds) as tcp:
        with (context or tls_context()).wrap_socket(tcp, server_hostname=ADDRESS) as tls:
            tls.sendall(data)
            got = b""
            while True:
                try:
                    part = tls.recv(65536)
                except (ssl.SSLError, OSError):
                    break
                if not part:
                    break
                got += part
            return got


def hand(*arguments):
    """What a taken-over sekisho-api can do: {deed: outcome}."""
    done = subprocess.run([os.path.join(BUILD, "tests", "front", "front_hand"), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=30, check=True)
    print(done.stdout)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())
