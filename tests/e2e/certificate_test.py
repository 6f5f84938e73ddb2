"""The console's certificate nears its end, and ends: it is told in time, and the machine's own commands never need it."""
import os
import ssl
import subprocess

import traffic
from front import ADDRESS, FRONT, PEOPLE, PORT, Browser, FrontLab, raw

CERT, KEY = "/run/lab/console.pem", "/run/lab/console.key"
OWN = PEOPLE + 'cert = "%s"\nkey = "%s"\n' % (CERT, KEY)


def _certificate(days):
    """A pair that ends in so many days (-1: it ended a day ago)."""
    os.makedirs("/run/lab", exist_ok=True)
    subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", KEY, "-out", "/run/lab/asked",
                    "-subj", "/CN=gateway"], check=True, stderr=subprocess.DEVNULL)
    with open("/run/lab/names", "w", encoding="ascii") as out:
        out.write("subjectAltName=IP:%s\n" % ADDRESS)
    subprocess.run(["openssl", "x509", "-req", "-in", "/run/lab/asked", "-signkey", KEY, "-out", CERT, "-days", str(days),
                    "-extfile", "/run/lab/names"], check=True, stderr=subprocess.DEVNULL)


def _told(lab):
    """What the console's alarms say of the certificate."""
    reasons = lab.json("health", check=False)["reasons"]
    return [r["text"] for r in reasons if r["name"] == "certificate_ends"]


def test_a_certificate_that_ends_soon_is_told_and_a_new_one_ends_the_alarm():
    _certificate(20)
    with FrontLab(people=OWN) as lab:
        lab.wait(lambda: _told(lab), 20, "the alarm")
        text = _told(lab)[0]
        assert text in ("the certificate of the console ends in %d days" % n for n in (19, 20)), text
        aoki = lab.person("aoki", "viewer")
        alarms = aoki.get("/v1/overview").json["alarms"]
        assert {"name": "certificate_ends", "text": text} in alarms, alarms
        _certificate(31)
        lab.write_config("/run/lab/next.toml")
        with open("/run/lab/next.toml", "a", encoding="utf-8") as out:
            out.write("# a new version\n")
        lab.sekisho("config", "apply", "/run/lab/next.toml")
        lab.wait(lambda: not _told(lab), 20, "the alarm to end")


def test_an_ended_certificate_is_told_and_every_cut_still_works():
    _certificate(-1)
    with FrontLab(people=OWN) as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000)
        lab.wait(lambda: _told(lab) == ["the certificate of the console has ended"], 20, "the alarm")
        # Who checks it is not let down silently ...
        try:
            Browser().get("/")
            raise AssertionError("an ended certificate was taken")
        except ssl.SSLCertVerificationError as why:
            assert "expired" in str(why), why
        base = ["--url", "https://%s:%d" % (ADDRESS, PORT), "--ca", FRONT + "/cert.pem"]
        assert lab.sekisho(*base, "status", check=False)[0] == 3
        # ... sekisho-api is still there for who decides to go on, as a browser's user can ...
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        assert raw(b"GET / HTTP/1.0\r\n\r\n", context=trusting).startswith(b"HTTP/1.1 200")
        # ... and the machine's own sockets know nothing of certificates.
        assert "vendor" in lab.sekisho("status")[1]
        assert lab.json("cut", "vendor", "--reason", "e2e")["outcome"] == "CONFIRMED"
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
        lab.sekisho("undo")
        lab.wait_passes(maint.a, maint.b.ip4, 7000)
        lab.kill(lab.sekishod)
        lab.start_sekishod()
        lab.wait_ready()
        lab.wait(lambda: _told(lab), 20, "the alarm after a restart")


for _test in [one for name, one in list(globals().items()) if name.startswith("test_")]:
    _test.seconds = 120
