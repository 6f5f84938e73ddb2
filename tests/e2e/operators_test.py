"""Two operators who cut and reopen the same link at once: one history, which every receipt is a line of."""
import json
import threading

import traffic
from front import PEOPLE, FrontLab

ALONE = PEOPLE.replace("[people]\n", "[people]\nreopen_people = 1\n")
ROUNDS = 40


def _states(lab):
    return {one["link"]: one["cut"] for one in lab.status()["links"]}


def _acts(person, acts, started, receipts, wrong):
    """Cuts and reopens as told, over one connection; every answer is kept."""
    person.keep = True
    started.wait()
    for act in acts:
        answer = person.post("/v1/" + act, {"target": "vendor", "reason": "%s %s" % (person.name, act)})
        if answer.status == 200:
            receipts.append(answer.json)
        elif answer.error not in ("refused", "not_cut", "already_open"):
            wrong.append((act, answer.status, answer.text))


def test_two_operators_at_once_end_as_the_last_receipt_says():
    with FrontLab(people=ALONE) as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        for one, other in ((maint.a, maint.b), (maint.b, maint.a)):
            one.command("ip", "neigh", "replace", other.ip4, "lladdr", other.mac, "dev", "eth0")
        aoki, baba = lab.person("aoki", "operator"), lab.person("baba", "operator")
        receipts, wrong = [], []
        # The same act at the same time, opposite acts, and one who goes on alone.
        orders = (["cut", "reopen"] * ROUNDS, ["reopen", "cut"] * ROUNDS), (["cut"] * ROUNDS, ["reopen"] * ROUNDS), \
                 (["reopen", "cut", "cut"] * (ROUNDS // 2), ["cut", "reopen", "reopen"] * (ROUNDS // 2))
        for order in orders:
            started = threading.Barrier(2)
            threads = [threading.Thread(target=_acts, args=(person, acts, started, receipts, wrong))
                       for person, acts in zip((aoki, baba), order)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not wrong, wrong[:3]
            last = max(receipts, key=lambda r: r["generation"])
            cut = _states(lab)["vendor"]
            assert cut == (last["command"] == "cut"), "the link is %s, the last receipt: %s" % (
                "cut" if cut else "open", last["text"]["en"])
            assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7) != cut
            assert not _states(lab)["device-his"]
        generations = [r["generation"] for r in receipts]
        print("%d receipts, %d of cuts, %d that changed nothing" % (
            len(receipts), sum(r["command"] == "cut" for r in receipts), sum(r["nothing_changed"] for r in receipts)))
        # Read by generation, they are one history: nothing that was acknowledged is missing in it.
        cut = False
        for receipt in sorted(receipts, key=lambda r: r["generation"]):
            if not receipt["nothing_changed"]:
                assert cut != (receipt["command"] == "cut"), "changed what was already so: %s" % receipt["text"]["en"]
                cut = receipt["command"] == "cut"
        assert len(set(g for r, g in zip(receipts, generations) if not r["nothing_changed"])) == sum(
            not r["nothing_changed"] for r in receipts), "two changes with one generation"
        assert all(r["outcome"] == "CONFIRMED" and r["latched"] for r in receipts), "a receipt that is not confirmed"
        with open("/var/lib/sekisho/audit/audit.jsonl", encoding="utf-8") as log:
            recorded = {r["receipt"] for r in map(json.loads, log) if r.get("receipt")}
        assert {r["id"] for r in receipts} <= recorded, "a receipt that the audit does not know"
        lab.sekisho("audit", "verify")
        # What holds now holds after a death, too.
        lab.kill(lab.sekishod)
        now = traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
        lab.start_sekishod()
        lab.wait_ready()
        assert traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7) == now == (not cut)


test_two_operators_at_once_end_as_the_last_receipt_says.seconds = 120
