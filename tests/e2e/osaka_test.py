"""The acceptance scenario "Osaka", step by step, with the tools that intruders and engineers use. docs/osaka.md says what each step shows."""
import json
import socket
import threading
import time

import traffic
from hospital import HIS, Care, Hospital, Ssh, dns_query, hydra, missing_tools, nmap, rdp, rdp_server, ssh_server
from web import events


class Story:
    """The hospital with its people; each step leaves it as the next one finds it."""

    def __init__(self, lab):
        self.lab = lab
        self.tanaka, self.suzuki = lab.person("tanaka", "operator"), lab.person("suzuki", "commander")
        added = lab.json("user", "add", "sato", "--role", "vendor", "--vendor", "acme")
        self.sato = type(self.tanaka)("sato", added["link"])
        self.from_vendor = [lab.keep(traffic.Capture(host)) for host in (lab.his, lab.server)]
        self.opened = []

    @staticmethod
    def ask(person, path, **body):
        answer = person.post(path, body)
        assert answer.status == 200, (person.name, path, body, answer.text)
        return answer.json

    # --- tickets

    def ticket(self, kind="maintenance"):
        """The vendor's engineer asks, the hospital approves, the engineer opens."""
        one = self.ask(self.sato, "/v1/tickets/request", vendor="acme", plan="replace a disk", for_s=3600, kind=kind)
        one = one["ticket"]["id"]
        assert self.sato.post("/v1/tickets/open", {"id": one}).status != 200, "opened without an approval"
        assert self.sato.post("/v1/tickets/approve", {"id": one}).status == 403, "a vendor approved"
        self.ask(self.tanaka, "/v1/tickets/approve", id=one)
        self.ask(self.sato, "/v1/tickets/open", id=one)
        self.opened.append(one)
        return one

    def shown(self, one):
        return self.tanaka.get("/v1/ticket?id=" + one).json

    def state(self, one):
        return self.shown(one)["ticket"]["state"]

    def acts(self, one):
        return [h["act"] for h in self.shown(one)["ticket"]["history"]]

    def wait_suspended(self, one, why, seconds=5):
        self.lab.wait(lambda: self.state(one) == "suspended", seconds, "the suspension")
        assert "suspend." + why in self.acts(one), self.acts(one)

    def close(self, one):
        self.ask(self.tanaka, "/v1/tickets/close", id=one, reason="end of the step")

    # --- what was found

    @staticmethod
    def alerts(detector, ticket=None):
        return [e for e in events("alert") if e["sekisho"].get("detector") == detector and
                (ticket is None or e.get("ticket") == ticket)]

    def stored(self, detector, ticket):
        found = self.tanaka.get("/v1/events?kind=alert&ticket=" + ticket).json["events"]
        return [e for e in found if e["sekisho"].get("detector") == detector]

    def incident(self, technique, host):
        found = self.tanaka.get("/v1/incidents?state=new").json["incidents"]
        return [i for i in found if i["technique"] == technique and i["host"] == host]

    @staticmethod
    def drops(source, destination=None, port=None):
        return [e for e in events("drop") if e["src_ip"] == source and destination in (None, e["dest_ip"]) and
                port in (None, e.get("dest_port"))]

    def proposals(self):
        return {(p["action"], p["target"]): p for p in self.tanaka.get("/v1/proposals").json["proposals"]
                if p["state"] == "open"}

    def nothing_beyond(self, source, since=0.0):
        """No IPv4 packet of `source` reached the HIS."""
        address = socket.inet_aton(source)
        for capture in self.from_vendor:
            seen = [f for f in capture.incoming(since) if f.ethertype == 0x0800 and f.data[26:30] == address]
            assert not seen, "%d packets of %s reached the HIS" % (len(seen), source)

    def nothing_cut(self):
        assert not any(link["cut"] for link in self.lab.status()["links"]), "automation has cut a link"
        assert not self.lab.status().get("quarantine"), "automation has isolated a host"


def test_the_scenario_from_the_first_knock_to_the_reopening():
    missing = missing_tools()
    if missing:
        from __main__ import Skipped  # the runner's own
        raise Skipped("not installed: %s" % " ".join(missing))
    with Hospital() as lab:
        rdp_server(lab, lab.target)
        ssh_server(lab, lab.target)
        story = Story(lab)
        care = lab.keep(Care(lab))
        began = time.monotonic()
        for step in (knock_without_a_ticket, work_with_a_ticket, scan, guess, valid_password, turn_on_the_his, spread, call_home,
                     carry_away, cut_by_playbook, reopen_by_two):
            print("=== %5.1f s: %s" % (time.monotonic() - began, step.__doc__), flush=True)
            step(lab, story)
            assert not care.wrong, care.wrong
        print("=== %5.1f s: care" % (time.monotonic() - began))
        care.finish()
test_the_scenario_from_the_first_knock_to_the_reopening.seconds = 240


def knock_without_a_ticket(lab, story):
    """0 RDP from the vendor without a ticket: dropped and logged"""
    assert rdp(lab.vendor, lab.target.ip4, 0.7) is None, "RDP passed without a ticket"
    lab.wait(lambda: story.drops(lab.vendor.ip4, lab.target.ip4, 3389), 10, "the drop in the log")
    drop = story.drops(lab.vendor.ip4, lab.target.ip4, 3389)[0]
    assert drop["drop"]["reason"] in ("access_closed", "policy_rule") and drop["sekisho"]["link"] == "vendor", drop


def work_with_a_ticket(lab, story):
    """1 an approved ticket, RDP to the one target: passes, as a named session"""
    one = story.ticket()
    assert rdp(lab.vendor, lab.target.ip4, user="sato") in (0, 1, 2), "RDP does not pass"
    lab.wait(lambda: any("sato" in r["what"] for r in story.shown(one)["report"]["logins"]["rows"]), 15,
             "who it was, in the ticket")
    assert rdp(lab.vendor, HIS[0], 0.7) is None, "a ticket for one target opens another"


def scan(lab, story):
    """2 nmap of the target and of the HIS: drops, an alert and the suspension within 5 s; recovery: a notice"""
    one = story.opened[-1]
    session = lab.keep(Ssh(lab.vendor, lab.target.ip4, "while :; do date; sleep 0.1; done"))
    lab.wait(lambda: session.bytes > 100, 15, "the engineer's session")
    since = time.monotonic()
    scans = [lab.keep(nmap(lab.vendor, "-sS", "-p", "1-1000", lab.target.ip4)),
             lab.keep(nmap(lab.vendor, "-sS", "-p", "135,445,3389,5985", "10.2.0.0/24"))]
    lab.wait(lambda: story.alerts("vendor.scan", one), 5, "the alert")
    lab.wait(lambda: story.stored("vendor.scan", one), 5, "the alert in the store")
    lab.wait(lambda: story.incident("T1046", lab.vendor.ip4), 5, "the scan's incident")
    story.wait_suspended(one, "scan")
    stopped = time.monotonic()
    time.sleep(0.5)
    assert session.grew <= stopped, "the session went on after its suspension"
    story.nothing_beyond(lab.vendor.ip4, since)
    assert ("cut", "vendor") in story.proposals(), story.proposals()
    story.nothing_cut()
    for one_scan in scans:
        one_scan.close()
    session.close()
    story.close(one)
    for port in (22, 3389):
        lab.wait(lambda p=port: any(e.get("ticket") == one and e["dest_port"] == p and e["dest_ip"] == lab.target.ip4
                                    for e in events("flow")), 15, "the session to port %d with its ticket" % port)

    recovery = story.ticket("recovery")

    def noticed():
        lab.keep(nmap(lab.vendor, "-sS", "-p", "1-30", lab.target.ip4)).process.wait(30)
        return "notice.scan" in story.acts(recovery)
    lab.wait(noticed, 30, "the notice of a recovery ticket")
    assert story.state(recovery) == "open"
    assert rdp(lab.vendor, lab.target.ip4) is not None, "a recovery ticket was stopped"
    story.close(recovery)


def guess(lab, story):
    """3 hydra RDP against the target: suspended at the fifth attempt"""
    one = story.ticket()
    arrived = lab.keep(traffic.Capture(lab.target))
    guesser = lab.keep(hydra(lab.vendor, lab.target.ip4))
    lab.wait(lambda: story.state(one) == "suspended", 30, "the suspension")
    time.sleep(0.5)
    ports = {f.data[34:36] for f in arrived.incoming()
             if f.tcp_flags & 0x12 == traffic.TCP_SYN and f.data[36:38] == b"\x0d\x3d"}
    print("hydra: %d connections reached the target" % len(ports))
    assert 1 <= len(ports) <= 6, len(ports)  # the fifth suspends; one more may be under way
    assert "suspend.brute_force" in story.acts(one), story.acts(one)
    assert rdp(lab.vendor, lab.target.ip4, 0.7) is None
    guesser.close()
    story.close(one)


def valid_password(lab, story):
    """4 a valid password inside the ticket: passes, a documented limit"""
    one = story.ticket()
    session = lab.keep(Ssh(lab.vendor, lab.target.ip4, "id -un"))
    lab.wait(lambda: session.process.poll() is not None, 15, "ssh to end")
    assert session.process.returncode == 0 and session.first.strip() == b"engineer", session.first
    assert story.state(one) == "open"


def turn_on_the_his(lab, story):
    """5 the target turns on the HIS: dropped; its quarantine is proposed, one click"""
    one, since = story.opened[-1], time.monotonic()
    lab.keep(nmap(lab.target, "-sT", "-p", "3389,445,135,5985", HIS[0])).process.wait(30)
    lab.wait(lambda: ("quarantine", lab.target.ip4) in story.proposals(), 5, "the proposal")
    story.nothing_beyond(lab.target.ip4, since)
    for port in (3389, 445, 135, 5985):
        assert story.drops(lab.target.ip4, HIS[0], port), port
    story.nothing_cut()
    assert story.state(one) == "open", "whom the vendor's target attacks does not end the ticket"
    done = story.ask(story.tanaka, "/v1/proposals/act", id=story.proposals()[("quarantine", lab.target.ip4)]["id"])
    assert done["receipt"]["outcome"] == "CONFIRMED", done
    assert rdp(lab.vendor, lab.target.ip4, 0.7) is None, "an isolated host answers"
    lab.sekisho("release", lab.target.ip4, "--reason", "the exercise goes on")
    lab.wait(lambda: rdp(lab.vendor, lab.target.ip4, 0.7) is not None, 10, "the release")


def spread(lab, story):
    """6 SMB to 20 hosts, writes to the backup: dropped; alert"""
    one, since, before = story.opened[-1], time.monotonic(), len(story.alerts("vendor.lateral"))
    lab.keep(nmap(lab.target, "-sT", "-p", "445", *HIS)).process.wait(30)
    lab.keep(nmap(lab.server, "-sT", "-p", "445,9392", lab.backup.ip4)).process.wait(30)
    for address in HIS:
        lab.wait(lambda a=address: story.drops(lab.target.ip4, a, 445), 10, "the drop of SMB to " + address)
    for port in (445, 9392):
        lab.wait(lambda p=port: story.drops(lab.server.ip4, lab.backup.ip4, p), 10, "the drop of a write to the backup")
    story.nothing_beyond(lab.target.ip4, since)

    def said_again():
        lab.keep(nmap(lab.target, "-sT", "-p", "445", *HIS)).process.wait(30)
        return len(story.alerts("vendor.lateral")) > before
    lab.wait(said_again, 20, "the alert")
    lab.wait(lambda: story.incident("T1021", lab.target.ip4), 5, "the incident of the target that goes on to others")
    refused_exception(lab, story)
    assert all(e["alert"]["severity"] == 1 for e in story.alerts("vendor.lateral"))
    assert story.state(one) == "open"


def refused_exception(lab, story):
    """What a detector found has limits of its own, and no exception."""
    incident = story.tanaka.get("/v1/incident?id=%d" % story.incident("T1021", lab.target.ip4)[0]["id"]).json
    found = [s for s in incident["signatures"] if s["gid"] == 900]
    assert found, incident
    answer = story.tanaka.post("/v1/incidents/exception", {
        "id": incident["id"], "sid": found[0]["sid"], "address": lab.target.ip4, "until": int(time.time()) + 3600,
        "reason": "exercise"})
    assert (answer.status, answer.json["error"]["name"]) == (409, "detector"), answer.json


def call_home(lab, story):
    """7 a beacon, a DNS tunnel: dropped by default; where DNS is allowed, an alert"""
    since = traffic.Capture(lab.vendor)
    lab.keep(since)
    for _ in range(3):
        assert not traffic.tcp_passes(lab.target, lab.vendor.ip4, 443, 0.3)
    assert story.drops(lab.target.ip4, lab.vendor.ip4, 443)
    with lab.target, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
        for beat in range(10):
            dns.sendto(dns_query("%s.t.example" % (("%02x" % beat) * 30), beat), (lab.vendor.ip4, 53))
            dns.sendto(dns_query("%s.t.example" % (("%02x" % beat) * 30), beat), (HIS[0], 53))
            time.sleep(0.02)
    lab.wait(lambda: events("alert", 9000801), 10, "the alert of the tunnel")
    assert events("alert", 9000801)[0]["src_ip"] == lab.target.ip4
    story.wait_suspended(story.opened[-1], "alert")
    story.close(story.opened[-1])
    assert not [f for f in since.incoming() if f.tcp_flags == traffic.TCP_SYN], "a beacon got out"
    assert not since.containing(b"example"), "a name got out"


def carry_away(lab, story):
    """8 a 2 GB upload to the vendor: volume alert, the ticket suspended by policy, a cut proposed"""
    one = story.ticket()
    session = lab.keep(Ssh(lab.vendor, lab.target.ip4, "head -c 2000000000 /dev/zero"))
    story.wait_suspended(one, "volume", 40)
    stopped = time.monotonic()
    time.sleep(0.5)
    print("upload: %.1f MiB of 1907 went out" % (session.bytes / (1 << 20)))
    assert session.bytes >= 32 << 20 and session.grew <= stopped, session.bytes
    assert session.bytes < 1_000_000_000
    assert story.alerts("vendor.volume", one)
    assert ("cut", "vendor") in story.proposals()
    story.nothing_cut()
    session.close()
    story.close(one)
    lab.wait(lambda: story.state(one) == "report_due", 20, "the report")
    report = story.shown(one)["report"]
    assert report["bytes_to_vendor"] >= 32 << 20
    found = {r["kind"] for r in report["findings"]["rows"]}
    assert "volume" in found, found
    assert any("OpenSSH" in r["what"] for r in report["logins"]["rows"]), report["logins"]
    assert story.sato.post("/v1/tickets/sign", {"id": one, "text": "all well"}).status == 403, "the vendor signed"
    story.ask(story.suzuki, "/v1/tickets/sign", id=one, text="not as planned: incident")
    assert story.state(one) == "signed"


def running(lab, story):
    """An established session of the vendor, a pull by the backup, and captures of what arrives."""
    story.ticket()
    session = lab.keep(Ssh(lab.vendor, lab.target.ip4, "while :; do date; sleep 0.01; done"))
    sink = lab.keep(traffic.UdpSink(lab.server, 9392))
    lab.keep(traffic.UdpFlood(lab.backup, lab.server.ip4, 9392, rate=500))
    server = lab.keep(traffic.EchoServer(lab.server, 9393))
    assert server and sink.wait_for(100), "the backup's pull does not pass"
    lab.wait(lambda: session.bytes > 1000, 15, "the vendor's session")
    return session, [lab.keep(traffic.Capture(h)) for h in (lab.vendor, lab.target, lab.server, lab.backup)]


def crossed(lab, captures, since):
    """Packets of the other side that came over a cut link since then."""
    strangers = {lab.vendor: (lab.target.ip4, *HIS), lab.target: (lab.vendor.ip4,), lab.server: (lab.backup.ip4,),
                 lab.backup: (lab.server.ip4,)}
    hosts = (lab.vendor, lab.target, lab.server, lab.backup)
    return [f for host, capture in zip(hosts, captures) for f in capture.incoming(since)
            if f.ethertype == 0x0800 and socket.inet_ntoa(f.data[26:30]) in strangers[host]]


def cut_by_playbook(lab, story):
    """9 CSIRT cuts backup and vendor: established flows too, within a second; kill -9 and a reboot change nothing"""
    session, captures = running(lab, story)
    pressed = time.monotonic()
    run = story.ask(story.tanaka, "/v1/playbooks/run", name="ransomware", reason="files are being encrypted")["run"]["id"]

    def finished():
        shown = story.tanaka.get("/v1/playbooks/runs?id=" + run).json["run"]
        return shown["state"] == "finished" and shown
    lab.wait(finished, 10, "the playbook")
    answered = time.monotonic()
    time.sleep(0.7)
    assert not crossed(lab, captures, answered), "a packet crossed a cut link"
    last = max(f.at for f in crossed(lab, captures, 0.0))
    print("last packet %.1f ms after the key; finished after %.1f ms" % ((last - pressed) * 1e3, (answered - pressed) * 1e3))
    assert pressed - 0.2 < last < pressed + 1.0, last - pressed
    receipts = [step["receipt"] for step in finished()["steps"]]
    for receipt, link in zip(receipts, ("backup", "vendor")):
        told = lab.json("receipt", receipt)
        assert told["outcome"] == "CONFIRMED" and told["latched"] and told["who"]["name"] == "tanaka", told
        assert [x["name"] for x in told["links"]] == [link], told
    assert story.state(story.opened[-1]) == "void", "a cut voids an open ticket"
    assert {x["link"] for x in lab.status()["links"] if x["cut"]} == {"backup", "vendor"}

    def archived():
        return {e["id"] for e in lab.json("evidence", "list")["evidence"]} >= set(receipts)
    lab.wait(archived, 30, "the evidence of both cuts")
    for receipt in receipts:
        lab.sekisho("evidence", "verify", receipt)
    # Either process, and then all that a reboot takes away.
    lab.kill(lab.sekishod)
    lab.start_sekishod()
    lab.wait_ready()
    lab.kill(lab.dataplane)
    time.sleep(0.3)
    lab.start_dataplane()
    lab.wait_ready()
    lab.forget_all_but_the_disk()
    lab.start()
    assert not crossed(lab, captures, answered), "a packet crossed a cut link"
    assert {x["link"] for x in lab.status()["links"] if x["cut"]} == {"backup", "vendor"}
    session.close()


def reopen_by_two(lab, story):
    """10 reopening by two people; the audit chain verifies"""
    for person in (story.tanaka, story.suzuki, story.sato):  # a session ends with the sekishod that it began at
        assert person.log_in().status == 200, person.name
    for target in ("vendor", "backup"):
        asked = story.ask(story.tanaka, "/v1/reopen", target=target, reason="verified clean")["request"]
        assert asked["state"] == "waiting"
        assert story.tanaka.post("/v1/reopenings/approve", {"id": asked["id"]}).error == "same_person"
        assert any(x["link"] == target and x["cut"] for x in lab.status()["links"])
        done = story.ask(story.suzuki, "/v1/reopenings/approve", id=asked["id"])
        assert done["outcome"] == "CONFIRMED", done
    assert not any(link["cut"] for link in lab.status()["links"])
    assert rdp(lab.vendor, lab.target.ip4, 0.7) is None, "a reopening revived a ticket"
    story.ticket()
    lab.wait(lambda: rdp(lab.vendor, lab.target.ip4, 1) is not None, 10, "the vendor's next ticket")
    lab.sekisho("audit", "verify")
    done = [r["name"] for r in lab.audit("reopen.approve")]
    assert done == ["suzuki", "suzuki"], done
