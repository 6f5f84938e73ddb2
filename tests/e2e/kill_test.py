"""sekishod killed (SIGKILL) at every step of a ticket, of a reopening and of a cut.

After each answer, and in the middle of each command: what was answered holds, what was not is either done or not,
and no word is ever open that nothing answers for.
"""
import json
import subprocess
import sys
import time

import traffic
import vendor_test
from lab import Lab

PEOPLE = "\n[people]\n"
ROUNDS = 5
# Connects, says so, sends its request when told to, prints the answer's status.
ASKER = """
import socket, sys
one = socket.socket(socket.AF_UNIX)
one.connect("/run/sekisho/" + sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
body = sys.argv[3].encode()
one.sendall(b"POST %s HTTP/1.0\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%s"
            % (sys.argv[2].encode(), len(body), body))
answer = b""
try:
    while True:
        part = one.recv(65536)
        if not part:
            break
        answer += part
except OSError:
    pass
print(answer.split(b" ")[1].decode() if answer else "none")
"""
SECOND = ["setpriv", "--reuid=1", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


class Asker:
    """A command that goes off at once when it is told to."""

    def __init__(self, path, body, second=False, socket="api.sock"):
        self.what = "%s %s" % (path, json.dumps(body))
        self._process = subprocess.Popen([*(SECOND if second else []), sys.executable, "-c", ASKER, socket, path,
                                          json.dumps(body)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def go(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def answered(self):
        """True: it was done; False: sekishod was killed before it said so."""
        word = self._process.communicate(timeout=30)[0].strip()
        assert word in ("200", "none"), (self.what, word)
        return word == "200"

    def timed(self):
        """Seconds that it takes."""
        begun = time.monotonic()
        self.go()
        assert self.answered(), self.what
        return time.monotonic() - begun


class Killer:
    """Kills in the middle of one kind of command, nearer each time to the moment in which it is answered."""

    def __init__(self, lab, takes):
        self._lab, self._early, self._late, self.unanswered = lab, 0.0, takes, 0

    def kill(self, asker):
        """Whether the command was answered before sekishod was dead."""
        seconds = (self._early + self._late) / 2 if self._early else self._late / 3
        asker.go()
        time.sleep(seconds)
        self._lab.kill(self._lab.sekishod)
        answered = asker.answered()
        if answered:
            self._late = seconds
        else:
            self._early, self.unanswered = seconds, self.unanswered + 1
        print("%s, killed after %.2f ms: %s" % (asker.what, 1000 * seconds, "answered" if answered else "no answer"))
        return answered


def _restarted(lab):
    lab.kill(lab.sekishod)
    _again(lab)


def _acquainted(wire):
    """No packet waits for a neighbour's address: what passes, passes at once."""
    for one, other in ((wire.a, wire.b), (wire.b, wire.a)):
        one.command("ip", "neigh", "replace", other.ip4, "lladdr", other.mac, "dev", "eth0")


def _again(lab):
    lab.start_sekishod()
    lab.wait_ready()


def _word_is_as_the_ticket_says(lab, ticket):
    maint = lab.wire("maint")
    state = vendor_test.state(lab, ticket)
    assert traffic.tcp_passes(maint.a, maint.b.ip4, 3389, 0.7) == (state == "open"), state
    return state


def test_a_ticket_is_as_it_was_answered_after_each_step():
    with vendor_test.lab() as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 3389))
        _acquainted(maint)
        ticket = vendor_test.request(lab)
        _restarted(lab)
        assert _word_is_as_the_ticket_says(lab, ticket) == "requested"
        vendor_test.second_person("ticket", "approve", ticket)
        _restarted(lab)
        assert _word_is_as_the_ticket_says(lab, ticket) == "approved"
        assert vendor_test.ticket_of(lab, ticket)["approved_by"]["uid"] == 1, "who approved was forgotten"
        lab.sekisho("ticket", "open", ticket)
        deadline = vendor_test.ticket_of(lab, ticket)
        _restarted(lab)
        assert _word_is_as_the_ticket_says(lab, ticket) == "open"
        assert vendor_test.ticket_of(lab, ticket).get("deadline_ns") == deadline.get("deadline_ns")
        lab.sekisho("ticket", "suspend", ticket, "--reason", "e2e")
        _restarted(lab)
        assert _word_is_as_the_ticket_says(lab, ticket) == "suspended"
        lab.sekisho("ticket", "resume", ticket)
        _restarted(lab)
        assert _word_is_as_the_ticket_says(lab, ticket) == "open"
        session = traffic.connect(maint.a, maint.b.ip4, 3389)
        assert traffic.echo(session)
        lab.sekisho("ticket", "close", ticket, "--reason", "done")
        _restarted(lab)
        assert _word_is_as_the_ticket_says(lab, ticket) in ("closed", "report_due")
        assert not traffic.echo(session, timeout=0.7), "a session outlived its ticket"
        lab.wait(lambda: vendor_test.state(lab, ticket) == "report_due", 20, "the report")
        vendor_test.second_person("ticket", "sign", ticket, "--text", "as planned")
        _restarted(lab)
        assert _word_is_as_the_ticket_says(lab, ticket) == "signed"
        lab.sekisho("audit", "verify")


def test_a_ticket_killed_in_the_middle_of_a_step_has_taken_it_or_not():
    with vendor_test.lab() as lab:
        lab.keep(traffic.EchoServer(lab.wire("maint").b, 3389))
        _acquainted(lab.wire("maint"))

        def asker(verb, ticket):
            return Asker("/v1/tickets/" + verb, {"id": ticket, "reason": "e2e"}, second=verb == "approve")
        ticket = vendor_test.request(lab)
        killers = {verb: Killer(lab, asker(verb, ticket).timed()) for verb in ("approve", "open", "close")}
        for _ in range(ROUNDS):
            ticket = vendor_test.request(lab)
            for verb, before, after in (("approve", ["requested"], ["approved"]), ("open", ["approved"], ["open"]),
                                        ("close", ["open", "suspended"], ["closed", "report_due"])):
                answered = killers[verb].kill(asker(verb, ticket))
                _again(lab)
                state = _word_is_as_the_ticket_says(lab, ticket)
                assert state in after or (not answered and state in before), (verb, answered, state)
                if state in before:
                    asker(verb, ticket).timed()
            assert _word_is_as_the_ticket_says(lab, ticket) in ("closed", "report_due")
        assert any(k.unanswered for k in killers.values()), "no kill came before its answer: nothing was proved"
        lab.sekisho("audit", "verify")


def test_a_reopening_by_two_is_as_it_was_answered_after_each_step():
    with Lab(extra=PEOPLE) as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        _acquainted(maint)

        def passes():
            return traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)

        def asked(which):
            return next(r for r in lab.json("reopenings", "list")["reopenings"] if r["id"] == which)
        killer = None
        for _ in range(1 + ROUNDS):
            assert lab.json("cut", "vendor", "--reason", "e2e")["outcome"] == "CONFIRMED"
            _restarted(lab)
            assert not passes(), "a cut that was answered is open after a restart"
            one = lab.json("reopen", "vendor", "--reason", "repaired")["request"]["id"]
            _restarted(lab)
            assert asked(one)["state"] == "waiting" and not passes()
            asker = Asker("/v1/reopenings/approve", {"id": one}, second=True)
            if killer is None:
                killer, answered = Killer(lab, asker.timed()), True
                lab.kill(lab.sekishod)
            else:
                answered = killer.kill(asker)
            before = passes()
            _again(lab)
            state, after = asked(one)["state"], passes()
            print("answered %s, passes %s then %s, %s" % (answered, before, after, state))
            assert after or not answered, "a reopening that was answered is cut after a restart"
            assert before == after, "a restart changed what passes"
            assert state == ("done" if after else "waiting"), (state, after)
            if not after:
                assert vendor_test.second_person("reopenings", "approve", one)["request"]["state"] == "done"
                assert passes()
        assert killer.unanswered, "no kill came before its answer: nothing was proved"
        lab.sekisho("audit", "verify")


def test_a_cut_killed_in_the_middle_is_cut_or_was_never_begun():
    with Lab() as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        _acquainted(maint)

        def asker():
            return Asker("/v1/cut", {"target": "vendor", "reason": "e2e"}, socket="cut.sock")
        killer = Killer(lab, asker().timed())
        lab.json("reopen", "vendor")
        for _ in range(ROUNDS):
            answered = killer.kill(asker())
            before = traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
            assert not (answered and before), "a packet passed after the receipt"
            _again(lab)
            after = traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
            link = next(one for one in lab.status()["links"] if one["link"] == "vendor")
            print("answered %s, passes %s then %s" % (answered, before, after))
            assert before or not after, "a restart opened a cut link"
            assert link["cut"] != after, link
            if link["cut"]:
                lab.json("reopen", "vendor")
            lab.wait_passes(maint.a, maint.b.ip4, 7000)
        assert killer.unanswered, "no kill came before its answer: nothing was proved"
        lab.sekisho("audit", "verify")


for _test in [one for name, one in list(globals().items()) if name.startswith("test_")]:
    _test.seconds = 180
