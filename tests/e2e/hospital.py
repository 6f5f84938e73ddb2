"""The hospital of the acceptance scenario: its wires, real servers (sshd, xrdp, dcmtk), real clients (ssh, hydra, nmap).

    vendor ──maint── kitchen's server ──inner── 20 hosts of the HIS        device ──clinical── PACS
                                                HIS server ──backup── backup

The kitchen's server is the one that the vendor maintains; it has a switch of its own, so that the vendor, the server and the HIS
hosts are one Ethernet with the gateway in it twice."""
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import traffic
from front import FrontLab
from lab import Wire
from netns import Host, run

HERE = os.path.dirname(os.path.abspath(__file__))
SIGNATURES = os.path.join(HERE, "..", "..", "signatures", "rules")
WORK = "/run/lab/hospital"
USER, PASSWORD = "engineer", "right-horse-battery"
HIS = ["10.2.0.%d" % last for last in range(101, 121)]


def missing_tools():
    wanted = ("nmap", "hydra", "xrdp", "ssh", "sshd", "storescu", "storescp", "dump2dcm")
    return [name for name in wanted if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None]


class Behind(Wire):
    """A wire from the switch of another wire's second host to a host of many addresses."""

    def __init__(self, number, name, zone_a, zone_b, first):
        super().__init__(number, name, zone_a, zone_b)
        self._first = first

    def lay(self):
        target = self._first.b

        class Side:
            gateway_interface = "g%da" % self.number
        self.a = Side
        run("ip", "link", "add", Side.gateway_interface, "type", "veth", "peer", "name", "eth1", "netns", target.name)
        off = ("tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off", "txvlan", "off", "rxvlan", "off")
        run("ethtool", "-K", Side.gateway_interface, *off)
        target.command("ethtool", "-K", "eth1", *off)
        target.command("ip", "addr", "flush", "dev", "eth0")
        target.command("ip", "link", "add", "br0", "address", target.mac, "type", "bridge")
        for one in ("eth0", "eth1"):
            target.command("ip", "link", "set", one, "master", "br0")
            target.command("ip", "link", "set", one, "up")
        target.command("ip", "link", "set", "br0", "up")
        target.command("ip", "addr", "add", target.ip4 + "/24", "dev", "br0")
        run("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % Side.gateway_interface)
        run("ip", "link", "set", Side.gateway_interface, "up")
        self.b = Host("his-hosts", "02:00:0a:03:00:02", HIS[0], "fd00:3::2", "g%db" % self.number)
        for address in HIS[1:]:
            self.b.command("ip", "addr", "add", address + "/24", "dev", "eth0")


LINKS = """
[[link]]
name = "device-his"
zones = ["device", "his"]
clinical = true
midstream = true
fail = "open"
[[link]]
name = "vendor"
zones = ["vendor", "kitchen"]
ips = "detect"
[[link]]
name = "kitchen-his"
zones = ["kitchen", "his"]
ips = "detect"
[[link]]
name = "backup"
zones = ["backup", "his"]
"""

RULES = """
[services]
dicom = { tcp = 11112 }
mllp = { tcp = 2575 }
pull = { tcp = 9392, udp = 9392 }
rdp = { tcp = 3389 }
ssh = { tcp = 22 }
dns = { udp = 53 }
[[rule]]
name = "images"
from = "device"
to = "his"
service = ["dicom", "mllp"]
action = "accept"
[[rule]]
name = "backups are pulled"
from = "backup"
to = "his"
service = "pull"
action = "accept"
[[rule]]
name = "names"
from = "kitchen"
to = "his"
service = "dns"
action = "accept"
[[rule]]
name = "all else of the vendor"
from = "vendor"
to = "kitchen"
action = "drop"
log = true
[[rule]]
name = "all else of the kitchen"
from = "kitchen"
to = ["his", "vendor"]
action = "drop"
log = true
[[rule]]
name = "nothing is pushed to the backup"
from = "his"
to = "backup"
action = "drop"
log = true
"""

# The order of the ministry's template: the backup path first, then the outside lines.
RESPONSE = """
[[vendor]]
name = "acme"
company = "Acme Kitchens"
from = "vendor"
to = "kitchen"
source = "10.2.0.1"
target = "10.2.0.2"
services = ["rdp", "ssh"]
longest = "2h"
[vendor.suspend]
volume = "32MiB"
[[playbook]]
name = "ransomware"
title_ja = "ランサムウェア"
[[playbook.step]]
cut = "backup"
[[playbook.step]]
cut = "vendor"
"""


class Hospital(FrontLab):
    def __init__(self, more=""):
        maint = Wire(2, "maint", "vendor", "kitchen")
        wires = [Wire(1, "clinical", "device", "his"), maint, Behind(3, "inner", "kitchen", "his", maint),
                 Wire(4, "backup", "backup", "his")]
        names = sorted(n for n in os.listdir(SIGNATURES) if n.endswith(".rules"))
        signatures = '\n[ips]\nfiles = [%s]\nclassification = "%s"\nnew_signatures_detect_for = 0\n' % (
            ", ".join('"%s"' % os.path.realpath(os.path.join(SIGNATURES, n)) for n in names),
            os.path.realpath(os.path.join(SIGNATURES, "classification.config")))
        signatures += 'app_memory = "32MiB"\nstream_memory = "32MiB"\n'
        super().__init__(wires=wires, links=LINKS, rules=RULES + signatures + RESPONSE + more)
        os.makedirs(WORK, exist_ok=True)

    def __enter__(self):
        super().__enter__()
        self.device, self.pacs = self.wire("clinical").a, self.wire("clinical").b
        self.vendor, self.target = self.wire("maint").a, self.wire("maint").b
        self.his = self.wire("inner").b
        self.backup, self.server = self.wire("backup").a, self.wire("backup").b
        return self


# --- servers of the kitchen

class Process:
    def __init__(self, host, *command, log=None):
        with host, open(log or os.devnull, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=WORK,
                                            start_new_session=True)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def rdp_server(lab, host):
    """xrdp without a session manager behind it: it speaks RDP and TLS, and no password is right."""
    for name in ("key.pem", "certificate.pem"):
        assert not os.path.exists(WORK + "/" + name)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kitchen", "-keyout",
        WORK + "/key.pem", "-out", WORK + "/certificate.pem")
    with open(WORK + "/xrdp.ini", "w", encoding="ascii") as out:
        out.write("[Globals]\nini_version=1\nfork=true\nport=3389\nsecurity_layer=negotiate\ncrypt_level=high\n"
                  "certificate=%s/certificate.pem\nkey_file=%s/key.pem\nssl_protocols=TLSv1.2, TLSv1.3\nmax_bpp=32\n"
                  "[Logging]\nLogFile=%s/xrdp.log\nLogLevel=INFO\nEnableSyslog=false\n"
                  "[Xorg]\nname=Xorg\nlib=libxup.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\ncode=20\n" %
                  (WORK, WORK, WORK))
    lab.keep(Process(host, "/usr/sbin/xrdp", "--nodaemon", "--config", WORK + "/xrdp.ini", log=WORK + "/xrdp.out"))
    lab.wait(lambda: _listens(host, 3389), 20, "xrdp to listen")


def ssh_server(lab, host):
    """sshd with one account whose password is known. The account exists in this test's mount namespace only."""
    os.makedirs("/run/sshd", exist_ok=True)
    os.makedirs(WORK + "/home", exist_ok=True)
    os.chown(WORK + "/home", 65530, 65530)
    secret = run("openssl", "passwd", "-6", PASSWORD).strip()
    for path, line in (("/etc/passwd", "%s:x:65530:65530::%s/home:/bin/sh\n" % (USER, WORK)),
                       ("/etc/shadow", "%s:%s:20000:0:99999:7:::\n" % (USER, secret))):
        ours = WORK + "/" + os.path.basename(path)
        shutil.copy2(path, ours)
        with open(ours, "a", encoding="ascii") as out:
            out.write(line)
        run("mount", "--bind", ours, path)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", WORK + "/host_key")
    with open(WORK + "/sshd_config", "w", encoding="ascii") as out:
        out.write("Port 22\nHostKey %s/host_key\nUsePAM no\nPasswordAuthentication yes\nPubkeyAuthentication no\n"
                  "PidFile none\nUseDNS no\nPrintMotd no\n" % WORK)
    lab.keep(Process(host, "/usr/sbin/sshd", "-D", "-e", "-f", WORK + "/sshd_config", log=WORK + "/sshd.log"))
    with open(WORK + "/askpass", "w", encoding="ascii") as out:
        out.write("#!/bin/sh\necho %s\n" % PASSWORD)
    os.chmod(WORK + "/askpass", 0o755)
    lab.wait(lambda: _listens(host, 22), 20, "sshd to listen")


def _listens(host, port):
    with host:
        with socket.socket() as one:
            one.settimeout(1)
            return one.connect_ex((host.ip4, port)) == 0


# --- clients of the vendor

class Ssh:
    """OpenSSH's client with the right password. `data` grows as the command writes."""

    def __init__(self, host, address, command):
        environment = dict(os.environ, SSH_ASKPASS=WORK + "/askpass", SSH_ASKPASS_REQUIRE="force", DISPLAY="none")
        with host:
            self.process = subprocess.Popen(
                ["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
                 "PubkeyAuthentication=no", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", "%s@%s" % (USER, address),
                 command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment, start_new_session=True)
        self.bytes, self.first, self.grew = 0, b"", 0.0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while piece := self.process.stdout.read1(1 << 16):
            self.first = self.first or piece
            self.bytes += len(piece)
            self.grew = time.monotonic()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._thread.join(5)


def rdp(host, address, timeout=2.0, user=None):
    """The first step of an RDP client (MS-RDPBCGR 2.2.1.1): what the server chose, or None if nothing came. Without a user it
    sends no cookie: a name is one more logon to the signature of password spraying, whose minute outlasts a step."""
    cookie = b"Cookie: mstshash=" + user.encode() + b"\r\n" if user else b""
    request = b"\xe0\0\0\0\0\0" + cookie + struct.pack("<BBHI", 1, 0, 8, 1)
    packet = struct.pack("!BBHB", 3, 0, 5 + len(request), len(request)) + request
    try:
        tcp = traffic.connect(host, address, 3389, timeout)
    except OSError:
        return None
    with tcp:
        tcp.settimeout(timeout)
        try:
            tcp.sendall(packet)
            answer = tcp.recv(64)
        except OSError:
            return None
    return struct.unpack("<I", answer[15:19])[0] if len(answer) == 19 and answer[5] == 0xd0 else None


def nmap(host, *arguments):
    """In the background."""
    return Process(host, "nmap", "-n", "-Pn", "-T4", "--max-retries", "0", *arguments, log=WORK + "/nmap.log")


def hydra(host, target):
    """One password for many accounts: a server that asks for the password inside of the session (xrdp does) looks to hydra as
    if the first had been right, so that guessing for one account would end at once."""
    with open(WORK + "/accounts", "w", encoding="ascii") as out:
        out.write("".join("nurse%02d\n" % number for number in range(60)))
    return Process(host, "hydra", "-I", "-V", "-t", "1", "-L", WORK + "/accounts", "-p", "Winter2022", "rdp://" + target,
                   log=WORK + "/hydra.log")


# --- care goes on

class Care:
    """C-STORE by dcmtk and HL7 over MLLP from the device, one after the other; every one has to be confirmed."""

    def __init__(self, lab):
        self.sent = self.confirmed = self.messages = self.acknowledged = 0
        self.wrong = []
        self._stop = threading.Event()
        self._device, self._pacs = lab.device, lab.pacs
        self._image()
        os.makedirs(WORK + "/pacs", exist_ok=True)
        lab.keep(Process(self._pacs, "storescp", "-od", WORK + "/pacs", "--ignore", "11112", log=WORK + "/storescp.log"))
        with self._pacs:
            self._mllp = socket.create_server((self._pacs.ip4, 2575))
        lab.wait(lambda: _listens(self._pacs, 11112), 20, "storescp to listen")
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._answer, self._store, self._hl7)]
        for one in self._threads:
            one.start()

    @staticmethod
    def _image():
        """An image of 512 x 512."""
        with open(WORK + "/one.dump", "w", encoding="ascii") as out:
            out.write("(0008,0016) UI =SecondaryCaptureImageStorage\n(0008,0018) UI [1.2.826.0.1.3680043.9.1.1]\n"
                      "(0008,0060) CS [CT]\n(0020,000d) UI [1.2.826.0.1.3680043.9.1.2]\n"
                      "(0020,000e) UI [1.2.826.0.1.3680043.9.1.3]\n(0028,0002) US 1\n(0028,0004) CS [MONOCHROME2]\n"
                      "(0028,0010) US 512\n(0028,0011) US 512\n(0028,0100) US 8\n(0028,0101) US 8\n(0028,0102) US 7\n"
                      "(0028,0103) US 0\n(7fe0,0010) OB =%s/pixels\n" % WORK)
        with open(WORK + "/pixels", "wb") as out:
            out.write(bytes(range(256)) * 1024)
        run("dump2dcm", "+te", WORK + "/one.dump", WORK + "/one.dcm")

    def _store(self):
        while not self._stop.is_set():
            self.sent += 1
            with self._device:
                done = subprocess.run(["storescu", self._pacs.ip4, "11112", WORK + "/one.dcm"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode == 0:
                self.confirmed += 1
            else:
                self.wrong.append("storescu: %d: %s" % (done.returncode, done.stdout[-500:]))
            self._stop.wait(0.2)

    def _answer(self):
        try:
            peer, _ = self._mllp.accept()
            with peer:
                for message in _frames(peer):
                    control = message.split(b"\r")[0].split(b"|")[9]
                    peer.sendall(b"\x0bMSH|^~\\&|HIS||DEV||20261123||ACK|A%s|P|2.5\rMSA|AA|%s\r\x1c\r" % (control, control))
        except OSError as error:
            if not self._stop.is_set():
                self.wrong.append("the HL7 server: %s" % error)

    def _hl7(self):
        try:
            with traffic.connect(self._device, self._pacs.ip4, 2575, 10) as tcp:
                tcp.settimeout(60)
                answers = _frames(tcp)
                while not self._stop.is_set():
                    self.messages += 1
                    tcp.sendall(b"\x0bMSH|^~\\&|DEV||HIS||20261123||ORU^R01|%d|P|2.5\rOBR|1|||GLU\r\x1c\r" % self.messages)
                    if b"MSA|AA|%d\r" % self.messages in next(answers):
                        self.acknowledged += 1
                    self._stop.wait(0.1)
        except (OSError, StopIteration) as error:
            self.wrong.append("the HL7 client after %d messages: %r" % (self.messages, error))

    def finish(self):
        """Ends it; all that was sent has been confirmed."""
        self._stop.set()
        for one in self._threads[1:]:
            one.join(90)
            assert not one.is_alive(), "care hangs"
        print("care: %d of %d images, %d of %d messages" % (self.confirmed, self.sent, self.acknowledged, self.messages))
        assert not self.wrong, self.wrong
        assert self.confirmed == self.sent > 3 and self.acknowledged == self.messages > 10

    def close(self):
        self._stop.set()
        self._mllp.close()


def _frames(tcp):
    """MLLP: what stands between 0x0B and 0x1C 0x0D."""
    data = b""
    while piece := tcp.recv(65536):
        data += piece
        while b"\x1c\r" in data:
            frame, data = data.split(b"\x1c\r", 1)
            yield frame.lstrip(b"\x0b")


def dns_query(name, number):
    labels = b"".join(bytes([len(p)]) + p for p in name.encode().split(b"."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 16, 1)
