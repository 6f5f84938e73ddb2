"""The console in a real Chromium, driven from a test: pages of their own, one deed at a time."""
import json
import os
import shutil
import subprocess

from front import ADDRESS, PASSWORD, PORT, USER, FrontLab, Person
from lab import BUILD

HERE = os.path.dirname(os.path.abspath(__file__))
URL = "https://%s:%d/" % (ADDRESS, PORT)
CONSOLE = os.environ.get("SEKISHO_CONSOLE", os.path.join(BUILD, "control", "console", "console"))
MODULES = os.environ.get("SEKISHO_CONSOLE_MODULES", os.path.join(BUILD, "control", "console", "work"))


def chromium():
    return shutil.which("chromium")


class ConsoleLab(FrontLab):
    """A lab whose sekisho-api serves the console that was built."""

    def start_api(self):
        assert os.path.exists(os.path.join(CONSOLE, "index.html")), "the console was not built: %s" % CONSOLE
        self.api = self._spawn("sekisho-api", "--user", USER, "--console", CONSOLE)
        self.wait(self.answers, 30, "sekisho-api to listen")

    def __enter__(self):
        super().__enter__()
        self.browser = self.keep(Browser())
        return self


class Browser:
    def __init__(self):
        environment = dict(os.environ, HOME="/run/lab", XDG_RUNTIME_DIR="/run/lab")
        self._process = subprocess.Popen(["node", os.path.join(HERE, "..", "console", "browser.mjs"), MODULES, chromium()],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._last = 0

    def do(self, deed, **rest):
        answer = self._ask(deed, **rest)
        if "error" in answer:
            shown = self._ask("evaluate", page=rest.get("page"), code="location.hash + ' ' + document.body.innerText")
            heard = self._ask("heard", page=rest.get("page"))
            raise AssertionError("%s %s: %s\n--- heard: %s\n--- on the page:\n%s" % (
                deed, rest, answer["error"], heard.get("value"), str(shown.get("value"))[:3000]))
        return answer["value"]

    def _ask(self, deed, **rest):
        self._last += 1
        self._process.stdin.write(json.dumps(dict(rest, id=self._last, deed=deed)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browser has ended"
        return json.loads(line)

    def open(self, name, path="", **options):
        page = Page(self, name)
        self.do("open", page=name, url=URL + path, **options)
        return page

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Page:
    def __init__(self, browser, name):
        self.browser, self.name = browser, name

    def __getattr__(self, deed):
        return lambda **rest: self.browser.do(deed, page=self.name, **rest)

    def go(self, hash_path):
        self.evaluate(code="location.hash = %s" % json.dumps(hash_path))

    def click_on(self, at):
        self.click(at=at)

    def log_in(self, person, password=PASSWORD):
        self.wait(at="input[name=user]")
        self.fill(at="input[name=user]", text=person.name)
        self.fill(at="input[name=password]", text=password)
        self.fill(at="input[name=code]", text=person.code())
        self.click(at="button[type=submit]")
        self.wait(at="header .live-mark:not(.old)")


class SetUp(Person):
    """Somebody who follows a one-time link in the browser, scanning what the page shows."""

    def __init__(self, page, name, link):  # pylint: disable=super-init-not-called
        self.name, self.last_step = name, 0
        page.goto(url=URL + "#/setup?link=%s" % link)
        page.fill(at="input[name=user]", text=name)
        page.fill(at="input[name=password]", text=PASSWORD)
        page.fill(at="input[name=again]", text=PASSWORD)
        page.click(at="button[type=submit]")
        page.wait(at="svg.qr")
        self.secret = page.attribute(at="[data-secret]", name="data-secret")
        page.fill(at="input[name=code]", text=self.code())
        page.click(at="button[type=submit]")
        page.wait(at="header .live-mark:not(.old)")
