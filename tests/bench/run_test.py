"""`sekisho bench` itself: a run, its files, a comparison that finds a slower build, an interruption, the browser."""
import html.parser
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ.get("SEKISHO_PROGRAM", "")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def bench(*words, timeout=400):
    return subprocess.run([PROGRAM, "bench", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=timeout, check=False)


@unittest.skipUnless(PROGRAM, "SEKISHO_PROGRAM is not set")
@unittest.skipUnless(os.geteuid() == 0, "needs root (network namespaces)")
class Ports(unittest.TestCase):
    def test_generator_and_analyser_meet_over_a_cable(self):
        with tempfile.TemporaryDirectory(prefix="bench-test-") as folder:
            done = bench("selfcheck", "--out", folder, "--name", "cable")
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            with open(os.path.join(folder, "cable.json"), encoding="utf-8") as text:
                data = json.load(text)
            with open(os.path.join(folder, "cable.md"), encoding="utf-8") as text:
                self.assertIn("self-check passed", text.read())
        self.assertEqual([p for p in data["parts"] if p.get("failed")], [])
        by_id = {r["id"]: r for r in data["figures"]}
        for size in (64, 1518):
            self.assertGreater(by_id["selfcheck/cable_%d" % size]["min"], 0)
        latency = data["histograms"][0]
        self.assertGreater(latency["count"], 1000)  # of 50,000: a busy machine offers fewer
        self.assertEqual(sum(count for _, count in latency["buckets"]), latency["count"])

    def test_unknown_requests_and_devices_are_refused(self):
        traffic = os.path.join(os.path.dirname(PROGRAM), "..", "..", "dataplane", "io", "sekisho-bench-traffic")
        for words in ([], ["net_null0"], ["--core", "x", "net_null0", "net_null1"], ["--what", "net_null0", "net_null1"]):
            done = subprocess.run([traffic, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, 2, words)
        # What is sent into nothing is lost, all of it, and said so; requests with faults are answered with their reason.
        done = subprocess.run([traffic, "net_null0,no-rx=1", "net_null1,no-rx=1"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=60, check=False,
                              input="trial\nstream size=63\nstream bytes=64\nstream flows=10\ntrial rate=10000 seconds=0.2 drain=0\nnonsense\nquit\n")
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(["error" in a for a in answers], [True, True, True, False, False, True])
        self.assertEqual(answers[4]["trial"]["loss"], 1)
        self.assertGreater(answers[4]["trial"]["sent"], 100)


@unittest.skipUnless(PROGRAM, "SEKISHO_PROGRAM is not set")
class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="bench-test-")

        def run(name, *words):
            done = bench("quick", "--only", "cost", "--limit", "380", "--out", cls.folder, "--name", name, *words)
            if done.returncode != 0:
                raise AssertionError(done.stderr[-2000:] + done.stdout[-2000:])
            return os.path.join(cls.folder, name + ".json")
        cls.run_bench = staticmethod(run)
        cls.first, cls.second = run("first"), run("second")
        cls.slow = run("slow", "--delay-ns", "150")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def verdicts(self, a, b):
        done = bench("compare", a, b, "--print-json")
        rows = json.loads(done.stdout)["rows"]
        return done.returncode, {r["id"]: r["verdict"] for r in rows}

    def test_a_slowed_build_is_found(self):
        status, verdicts = self.verdicts(self.first, self.slow)
        self.assertEqual(status, 1)
        self.assertEqual(verdicts["cost/64"], "REGRESSION")
        self.assertGreaterEqual(sum(v == "REGRESSION" for v in verdicts.values()), 5, verdicts)

    def test_an_unchanged_build_is_not(self):
        # Something else that began between the two runs is a difference, and is rightly found: another pair, then.
        for again in ("", "third", "fourth"):
            pair = (self.run_bench(again + "-a"), self.run_bench(again + "-b")) if again else (self.first, self.second)
            status, verdicts = self.verdicts(*pair)
            if status == 0:
                break
        self.assertEqual(set(verdicts.values()) - {"no change shown", "improved"}, set(), verdicts)
        self.assertEqual(status, 0)

    def test_the_figures_are_sound(self):
        with open(self.first, encoding="utf-8") as text:
            data = json.load(text)
        self.assertEqual(data["schema"], "sekisho-bench/1")
        self.assertTrue(data["complete"])
        by_id = {r["id"]: r for r in data["figures"]}
        self.assertEqual(len(by_id["cost/64"]["samples"]), 7)
        self.assertGreater(by_id["cost/64"]["median"], 1)
        self.assertLess(by_id["cost/64"]["median"], by_id["cost/9000"]["median"])
        for key in ("cpu", "cores", "kernel", "steal_pct", "load_before", "load_after", "huge_pages"):
            self.assertIn(key, data["machine"])
        self.assertTrue(data["selfcheck"])
        self.assertEqual(len(data["model"]["rows"]), 9)

    def test_what_is_no_result_is_refused(self):
        path = os.path.join(self.folder, "other.json")
        with open(path, "w", encoding="utf-8") as out:
            out.write('{"schema": "something"}')
        done = bench("compare", self.first, path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("not a result", done.stderr)

    def test_a_result_is_rendered_again_and_into_a_page(self):
        page = os.path.join(self.folder, "page.md")
        with open(page, "w", encoding="utf-8") as out:
            out.write("# Other words\n")
        for _ in range(2):  # the second replaces the first
            self.assertEqual(bench("report", self.first, "--page", page).returncode, 0)
        with open(page, encoding="utf-8") as text:
            written = text.read()
        self.assertTrue(written.startswith("# Other words\n"))
        self.assertEqual(written.count("sekisho bench: begin"), 1)
        self.assertEqual(written.count("## Sekisho benchmark"), 1)

    def test_an_interruption_leaves_a_valid_partial_report(self):
        process = subprocess.Popen([PROGRAM, "bench", "quick", "--out", self.folder, "--name", "partial"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:  # as soon as the second part has begun
            if "cost a packet" in line:
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        self.assertEqual(process.wait(60), 1)
        with open(os.path.join(self.folder, "partial.json"), encoding="utf-8") as text:
            data = json.load(text)
        self.assertFalse(data["complete"])
        self.assertTrue(any("interrupted" in w for w in data["warnings"]))
        self.assertTrue(any(r["id"] == "selfcheck/generator_ns" for r in data["figures"]))
        with open(os.path.join(self.folder, "partial.html"), encoding="utf-8") as text:
            self.assertIn("partial", text.read())

    def test_the_page_asks_nobody(self):
        with open(self.first[:-5] + ".html", encoding="utf-8") as text:
            page = text.read().replace('xmlns="http://www.w3.org/2000/svg"', "")
        self.assertIsNone(re.search(r"(?i)https?://|<script|<link|<img|@import|url\(", page))

    @unittest.skipUnless(BROWSER, "chromium is not installed")
    def test_the_page_opens_in_a_real_browser(self):
        page = self.first[:-5] + ".html"
        shot = os.path.join(self.folder, "page.png")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
                 "--user-data-dir=" + os.path.join(self.folder, "profile")]
        done = subprocess.run([BROWSER, *flags, "--dump-dom", "file://" + page], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, timeout=180, check=False)

        class Count(html.parser.HTMLParser):
            tags, text = {}, ""

            def handle_starttag(self, tag, attrs):
                Count.tags[tag] = Count.tags.get(tag, 0) + 1

            def handle_data(self, data):
                Count.text += data
        Count().feed(done.stdout)
        self.assertGreaterEqual(Count.tags.get("svg", 0), 1)
        self.assertGreaterEqual(Count.tags.get("polyline", 0), 1)
        self.assertIn("Cost a packet", Count.text)
        subprocess.run([BROWSER, *flags, "--window-size=1200,2000", "--screenshot=" + shot, "file://" + page],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=180, check=False)
        with open(shot, "rb") as image:
            self.assertEqual(image.read(8), b"\x89PNG\r\n\x1a\n")
        self.assertGreater(os.path.getsize(shot), 20000)  # drawn, not blank


if __name__ == "__main__":
    unittest.main()
