"""The console in Chromium against real daemons: what a person does, and what the packets do then."""
import functools
import os
import signal
import time

import traffic
from chromium import URL, ConsoleLab, SetUp, chromium
from front import PEOPLE


def needs_chromium(test):
    @functools.wraps(test)
    def run():
        if chromium() is None:
            from __main__ import Skipped  # the runner's own
            raise Skipped("there is no chromium: install it for the tests of the console")
        test()
    run.__module__ = __name__
    run.seconds = 150
    return run


def flooded(lab):
    """A flood over the vendor's wire that arrives; returns the capture on its far side."""
    maint = lab.wire("maint")
    sink = lab.keep(traffic.UdpSink(maint.b, 7001))
    lab.keep(traffic.UdpFlood(maint.a, maint.b.ip4, 7001, rate=1000))
    assert sink.wait_for(100), "the flood does not pass"
    return lab.keep(traffic.Capture(maint.b)), sink


def frames(capture, since):
    return [f for f in capture.incoming(since) if f.ethertype == 0x0800]


@needs_chromium
def test_setup_login_and_a_cut_in_two_actions():
    with ConsoleLab() as lab:
        with open("/var/lib/sekisho/setup-link", encoding="ascii") as link:
            code = link.read().strip()
        page = lab.browser.open("admin")
        page.wait(at="input[name=user]")
        admin = SetUp(page, "admin", code)
        assert page.heard()["errors"] == [], page.heard()
        # The admin may not cut: no button. An operator may.
        assert page.count(at="[data-cut]") == 0
        operator = lab.person("tanaka", "operator")
        page.click(at="header .who button")
        page.log_in(operator)
        capture, _ = flooded(lab)
        page.wait(at="[data-link=vendor]")
        # First action, second action.
        page.click(at="[data-cut]")
        pressed = time.monotonic()
        page.click(at="button.cut[data-target=vendor]")
        page.wait(at=".receipt[data-outcome=CONFIRMED]")
        shown = time.monotonic()
        time.sleep(0.7)
        assert not frames(capture, shown), "a packet crossed after the receipt was on the screen"
        last = max(f.at for f in frames(capture, 0))
        print("last packet %.1f ms after the second action, receipt on the screen after %.1f ms" %
              ((last - pressed) * 1e3, (shown - pressed) * 1e3))
        text = page.text(at=".receipt")
        assert "確認済み" in text and "vendor" in text, text
        receipt = page.attribute(at=".receipt", name="data-receipt")
        recorded = lab.audit("cut")[-1]
        assert recorded["receipt"] == receipt and recorded["name"] == "tanaka", recorded
        # What is cut stands on every page; one's own cut is undone alone.
        page.wait(at=".band.cut[data-cut-links=vendor]")
        page.click(at="dialog .undo button")
        page.wait(at=".band.cut", gone=True)
        lab.wait(lambda: frames(capture, time.monotonic() - 0.5), 10, "the flood to pass again")
        # English, without a reload, and it stays.
        page.press(key="Escape")
        page.click(at="button[lang=en]")
        assert page.text(at="[data-cut]").lower() == "cut"
        page.reload()
        page.wait(at="header .live-mark:not(.old)")
        assert page.text(at="main h1") == "Map"
        assert page.evaluate(code="document.documentElement.lang") == "en"
        heard = page.heard()
        assert heard["errors"] == [], heard
        assert heard["hosts"] == [URL.split("/")[2]], "the page asked somebody else: %s" % heard["hosts"]
        assert admin.name == "admin"


@needs_chromium
def test_a_full_cut_asks_once_more_and_names_care():
    with ConsoleLab() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        tcp = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(tcp)
        page = lab.browser.open("operator", language="en")
        page.log_in(lab.person("tanaka", "operator"))
        page.click(at="[data-cut]")
        page.click(at="button.cut[data-target=all]")
        page.wait(at="[data-cut-sure]")
        assert traffic.echo(tcp), "it was cut before the second question"
        page.wait(at="[data-impact=all] tbody tr")
        assert clinical.b.ip4 in page.text(at="[data-impact=all]")
        page.click(at="[data-cut-sure]")
        page.wait(at=".receipt[data-outcome=CONFIRMED]")
        assert not traffic.echo(tcp, timeout=0.7)
        page.wait(at=".band.cut[data-cut-links='device-his vendor']")


class CareConsole(ConsoleLab):
    """The clinical client is protected by its IPv4 address, not by the other one."""

    def start(self):
        with open("/run/lab/assets.csv", "w", encoding="utf-8") as out:
            out.write("address,name,ward,protected\n%s,monitor-9,ICU,yes\n" % self.wire("clinical").a.ip4)
        self.sekishod_options += ("--assets", "/run/lab/assets.csv")
        super().start()


@needs_chromium
def test_a_partial_cut_stands_beside_the_cut_and_keeps_care():
    with CareConsole() as lab:
        clinical = lab.wire("clinical")
        lab.keep(traffic.EchoServer(clinical.b, 7000))
        tcp = traffic.connect(clinical.a, clinical.b.ip4, 7000)
        assert traffic.echo(tcp) and traffic.tcp_passes(clinical.a, clinical.b.ip6, 7000)
        page = lab.browser.open("operator", language="en")
        page.log_in(lab.person("tanaka", "operator"))
        page.click(at="[data-cut]")
        page.click(at="[data-target-partial=device-his]")
        page.wait(at="dialog .receipt[data-outcome=CONFIRMED]")
        assert "(partial)" in page.text(at="dialog .receipt")
        assert traffic.echo(tcp), "the protected host's session ended"
        assert not traffic.tcp_passes(clinical.a, clinical.b.ip6, 7000, 0.7), "what is not protected goes on"
        page.press(key="Escape")
        page.click(at="[data-link=device-his]")
        page.wait(at="[data-state=partial]")
        # The rest: a full cut of what carries care asks once more, and names it.
        page.click(at="[data-panel-cut]")
        page.wait(at="[data-cut-sure]")
        page.wait(at="dialog [data-impact=device-his] tbody tr")
        assert "monitor-9" in page.text(at="dialog [data-impact=device-his]")
        assert traffic.echo(tcp), "it was cut before the second question"
        page.click(at="[data-cut-sure]")
        page.wait(at="dialog .receipt[data-outcome=CONFIRMED]")
        assert not traffic.echo(tcp, timeout=0.7)
        assert page.heard()["errors"] == [], page.heard()


@needs_chromium
def test_a_reopening_by_two_people_in_two_sessions():
    with ConsoleLab() as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        one = lab.browser.open("one", "#/map?link=vendor")
        other = lab.browser.open("other", "#/performance")
        one.log_in(lab.person("tanaka", "operator"))
        other.log_in(lab.person("suzuki", "commander"))
        one.click(at="[data-panel-cut]")
        one.wait(at=".receipt[data-outcome=CONFIRMED]")
        one.click(at="dialog .actions .primary")
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
        # The other one sees the cut without asking for anything.
        other.wait(at=".band.cut[data-cut-links=vendor]")
        one.fill(at=".reopen-form input", text="checked with the vendor")
        one.click(at=".reopen-form button.primary")
        one.wait(at="[data-reopen-waiting]")
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
        # … and that it waits for him, on whichever page he is.
        other.click(at="[data-waiting] a[href='#/map']")
        other.wait(at=".attention button.primary")
        # Whoever asked has no button for it.
        one.wait(at=".attention .tag")
        assert one.count(at=".attention button.primary") == 0 and one.count(at="[data-waiting]") == 0
        other.click(at=".attention button.primary")
        other.wait(at=".attention .receipt[data-outcome=CONFIRMED]")
        lab.wait_passes(maint.a, maint.b.ip4, 7000)
        one.wait(at=".band.cut", gone=True)
        other.wait(at="[data-waiting]", gone=True)
        assert lab.audit("reopen")


@needs_chromium
def test_a_stale_page_says_so_and_still_cuts():
    with ConsoleLab() as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 7000))
        lab.json("quarantine", "10.2.0.77", "--reason", "to be released")
        page = lab.browser.open("operator")
        page.log_in(lab.person("tanaka", "operator", "commander"))
        release = ".spread button"
        page.wait(at=release)
        assert page.enabled(at=release) and page.count(at="[data-stale]") == 0
        os.kill(lab.sekishod.pid, signal.SIGSTOP)
        try:
            page.wait(at="[data-stale]")
            assert "現在の状態ではありません" in page.text(at="[data-stale]")
            assert not page.enabled(at=release), "an action on an old state was offered"
            assert page.enabled(at="[data-cut]")
            assert "grayscale" in page.evaluate(code="getComputedStyle(document.querySelector('.depends')).filter")
            page.click(at="[data-cut]")
            page.click(at="button.cut[data-target=vendor]")
        finally:
            os.kill(lab.sekishod.pid, signal.SIGCONT)
        page.wait(at=".receipt[data-outcome=CONFIRMED]")
        assert not traffic.tcp_passes(maint.a, maint.b.ip4, 7000, 0.7)
        page.wait(at="[data-stale]", gone=True)


@needs_chromium
def test_keyboard_alone_cuts_and_pages_have_their_landmarks():
    with ConsoleLab() as lab:
        page = lab.browser.open("operator", language="en")
        page.log_in(lab.person("tanaka", "operator"))
        page.wait(at="[data-link=vendor]")
        for landmark in ("header.top", "nav[aria-label]", "main#main", "main h1"):
            assert page.count(at=landmark) == 1, landmark
        unnamed = page.evaluate(code="""[...document.querySelectorAll('button, input, select, [role=button]')].filter(
            (e) => !(e.textContent.trim() || e.getAttribute('aria-label') || (e.labels && e.labels.length))).length""")
        assert unnamed == 0, "%d controls have no name" % unnamed
        page.evaluate(code="document.querySelector('[data-cut]').focus()")
        page.press(key="Enter")
        page.wait(at="dialog[open]")
        for _ in range(12):
            page.press(key="Tab")
            if page.evaluate(code="document.activeElement.dataset.target || ''") == "vendor":
                break
        assert page.evaluate(code="document.activeElement.dataset.target") == "vendor"
        page.press(key="Enter")
        page.wait(at=".receipt[data-outcome=CONFIRMED]")
        assert page.evaluate(code="document.activeElement.closest('.receipt') !== null"), "the receipt has not the focus"
        page.press(key="Escape")
        page.wait(at="dialog[open]", gone=True)
        assert page.evaluate(code="'cut' in document.activeElement.dataset"), "the focus did not come back"


@needs_chromium
def test_the_first_load_is_small_and_comes_packed():
    with ConsoleLab() as lab:
        page = lab.browser.open("operator")
        login = page.paint(url=URL, at="input[name=user]")
        page.log_in(lab.person("tanaka", "operator"))
        seen = page.paint(url=URL, at="main [data-link]")
        print("login", login, "map", seen)
        for one in (login, seen):
            # How soon is for scripts/bench; that it comes at all, what it is made of and its size are for a test.
            assert 0 < one["first"] <= one["drawn"], one
            assert 10_000 < one["bytes"] <= 300_000 and one["bytes"] < one["unpacked"] / 2, one
            assert one["files"] <= 4, "the page needs more requests than itself, a script, a style sheet and its icon: %s" % one


VENDOR = """
[[vendor]]
name = "acme"
company = "Acme Medical"
from = "vendor"
to = "his"
source = "10.2.0.1"
target = "10.2.0.2"
services = ["ssh"]
longest = "2h"
"""
VENDOR_RULES = """
[services]
echo = { tcp = 7000 }
ssh = { tcp = 22 }
[[rule]]
name = "devices to his"
from = "device"
to = "his"
service = "echo"
action = "accept"
"""


@needs_chromium
def test_a_ticket_from_the_request_to_the_signed_report():
    with ConsoleLab(rules=VENDOR_RULES, people=PEOPLE + VENDOR) as lab:
        maint = lab.wire("maint")
        lab.keep(traffic.EchoServer(maint.b, 22))
        capture = lab.keep(traffic.Capture(maint.b))

        def passes():
            return traffic.tcp_passes(maint.a, maint.b.ip4, 22, 0.7)

        assert not passes() and not frames(capture, 0), "open without a ticket"
        one = lab.browser.open("one", "#/vendors")
        other = lab.browser.open("other", "#/performance", language="en")
        one.log_in(lab.person("tanaka", "operator"))
        other.log_in(lab.person("suzuki", "commander"))
        one.fill(at="textarea[name=plan]", text="replace a disk")
        one.click(at="input[name=record]")
        one.click(at="form .actions .primary")
        one.wait(at="[data-ticket-state=requested]")
        assert "承認待ち" in one.text(at="[data-ticket-state]"), one.text(at="main")
        # Whoever asked does not approve.
        assert one.count(at="[data-deeds] .primary") == 0
        assert "別の人の承認が必要" in one.text(at="[data-deeds]")
        # The other one, in English and on another page, is told that it waits for him; whoever asked is not.
        other.wait(at="[data-waiting]")
        assert other.text(at="[data-waiting]").replace("\n", " ").startswith("Waiting for your approval tickets: 1")
        assert other.text(at="nav a[href='#/vendors'] .badge").endswith("1") and one.count(at="[data-waiting]") == 0
        other.click(at="[data-waiting] a[href='#/vendors']")
        other.click(at="[data-ticket]")
        other.wait(at="[data-ticket-state=requested]")
        assert other.text(at="[data-deeds] .primary") == "Approve"
        assert "replace a disk" in other.text(at="main") and "Acme Medical" in other.text(at="main")
        assert not passes(), "open by a request alone"
        other.click(at="[data-deeds] .primary")
        other.wait(at="[data-ticket-state=approved]")
        one.wait(at="[data-ticket-state=approved]")
        other.wait(at="[data-waiting]", gone=True)
        assert not passes() and not frames(capture, 0), "open by an approval alone"
        one.click(at="[data-deeds] .primary")
        one.wait(at="[data-ticket-state=open]")
        lab.wait_passes(maint.a, maint.b.ip4, 22)
        session = traffic.connect(maint.a, maint.b.ip4, 22)
        assert traffic.echo(session), "the ticket's session does not pass"
        # Open access stands on the map of everybody.
        other.go("#/map")
        other.wait(at="main[data-page=map] [data-access='acme.ssh']")
        one.click(at="[data-deeds] [data-deed=close]")
        one.wait(at="[data-deeds] [data-deed=close]", gone=True)
        closed = time.monotonic()
        assert not traffic.echo(session, timeout=0.7) and not passes(), "open after the ticket"
        assert not frames(capture, closed), "a packet crossed after the page showed the end"
        other.wait(at="[data-access]", gone=True)
        one.wait(at="[data-ticket-state=report_due]", seconds=40)
        other.go("#/vendors")
        other.click(at="[data-ticket]")
        other.wait(at="[data-report]")
        assert "10.2.0.2" in other.text(at=".report"), other.text(at="main")
        assert " packets, " in other.text(at="[data-recording]"), "the request asked for a recording"
        other.fill(at="input[name=reason]", text="as planned")
        other.click(at="[data-deeds] .primary")
        other.wait(at="[data-ticket-state=signed]")
        assert "as planned" in other.text(at=".facts")
        one.wait(at="[data-ticket-state=signed]")
        for page in (one, other):
            assert page.heard()["errors"] == [], page.heard()
        steps = [lab.audit("ticket.%s" % step)[-1]["name"] for step in ("request", "approve", "open", "close", "sign")]
        assert steps == ["tanaka", "suzuki", "tanaka", "tanaka", "suzuki"], steps
