"""Medians, intervals, knees, the comparison's judgement and the model."""
import random
import unittest

import compare
import estimate
import stats
import svg


class Stats(unittest.TestCase):
    def test_median_and_spread(self):
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 2, 3]), 2.5)
        self.assertEqual(stats.spread_pct([5]), 0)
        self.assertAlmostEqual(stats.spread_pct([90, 95, 100, 105, 110]), 5)

    def test_a_line_is_found(self):
        a, b, r2 = stats.line([64, 512, 1518], [50 + 0.05 * x for x in (64, 512, 1518)])
        self.assertAlmostEqual(a, 50)
        self.assertAlmostEqual(b, 0.05)
        self.assertAlmostEqual(r2, 1)
        with self.assertRaises(ValueError):
            stats.line([1, 1], [2, 3])

    def test_the_interval_holds_the_truth_as_often_as_it_says(self):
        source, held = random.Random(4), 0
        for i in range(200):
            before = [source.gauss(100, 5) for _ in range(15)]
            after = [source.gauss(110, 5) for _ in range(15)]
            low, _, high = stats.ratio_interval(before, after, rounds=400, seed=i)
            held += low <= 1.1 <= high
        self.assertGreater(held, 175)

    def test_a_knee_is_named_where_it_is_and_only_there(self):
        bent = [(10 ** e, 60 if e <= 4 else 60 + 30 * (e - 4)) for e in (0, 1, 2, 3, 4, 5, 6)]
        self.assertEqual(stats.knee(bent)["x"], 10 ** 4)
        self.assertIn("knee at 10k", stats.shape(bent, "ns"))
        self.assertIsNone(stats.knee([(10 ** e, 60 + 10 * e) for e in range(7)]))
        self.assertIsNone(stats.knee([(10 ** e, 60 + (-1) ** e) for e in range(7)]))
        self.assertIn("flat", stats.shape([(10 ** e, 60 + (-1) ** e) for e in range(7)], "ns"))

    def test_the_model_adds_up(self):
        # 10 Gbit/s of 64 B is 14.88 Mpps; 100 ns each is 1.488 cores.
        self.assertAlmostEqual(estimate.cores(100, 0, 10, 64, uneven=1, driver_ns=0, full=1), 1.488, 3)
        self.assertAlmostEqual(estimate.cores(0, 1, 10, 1518, uneven=1, driver_ns=0, full=1), 0.8127 * 1.518, 2)


def figure(samples, normal=None, better="lower"):
    return {"id": "x", "group": "g", "title": "t", "unit": "ns", "better": better, "samples": samples,
            "median": stats.median(samples), **({"normal": normal} if normal else {})}


class Judge(unittest.TestCase):
    def setUp(self):
        source = random.Random(9)
        self.noise = [[source.gauss(1, 0.02) for _ in range(11)] for _ in range(4)]

    def test_slower_faster_and_the_same(self):
        base = figure([100 * n for n in self.noise[0]])
        for factor, verdict in ((1.0, "no change shown"), (1.3, "REGRESSION"), (0.7, "improved")):
            self.assertEqual(compare.judge(base, figure([100 * factor * n for n in self.noise[1]]), 0.05)["verdict"], verdict)
        rate = figure([100 * n for n in self.noise[0]], better="higher")
        self.assertEqual(compare.judge(rate, figure([70 * n for n in self.noise[1]], better="higher"), 0.05)["verdict"], "REGRESSION")

    def test_a_slower_machine_is_no_regression(self):
        # As measured half as fast; by the yardstick the same.
        base = figure([100 * n for n in self.noise[0]], normal=[0.3 * n for n in self.noise[1]])
        slow = figure([200 * n for n in self.noise[2]], normal=[0.3 * n for n in self.noise[3]])
        self.assertEqual(compare.judge(base, slow, 0.05)["verdict"], "no change shown")

    def test_few_samples_say_nothing(self):
        self.assertEqual(compare.judge(figure([1, 2]), figure([10, 20]), 0.05)["verdict"], "too few samples")


class Plots(unittest.TestCase):
    def test_exceedance_falls_from_one_to_nothing(self):
        points = svg.exceedance([[i, 10] for i in range(1, 1001)])
        self.assertLess(len(points), 200)
        shares = [p[1] for p in points]
        self.assertEqual(shares, sorted(shares, reverse=True))
        self.assertEqual(points[-1][0], 1000)

    def test_plots_of_little_do_not_fail(self):
        for points in ([], [(1, 1)], [(0, 0), (0, 0)], [(1, 5), (2, 5)]):
            self.assertIsInstance(svg.plot([("", points)], "x", "y", True, True), str)
            self.assertIsInstance(svg.plot([("", points)], "x", "y"), str)


if __name__ == "__main__":
    unittest.main()
