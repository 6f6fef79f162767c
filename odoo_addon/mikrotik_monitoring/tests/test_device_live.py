import math
from datetime import timedelta
from types import SimpleNamespace

from odoo.exceptions import AccessError, UserError
from odoo.tests.common import tagged

from ..gateway import clocks
from .common import SEEN, MtdCase, failure

END_US = 1_800_000_000_000_000
RX = ["iface.rx_bps"]


def series_of(label="ether1", **more):
    """Return a series as the client does."""
    values = {
        "key": f"iface.{label}.rx_bps",
        "metric": "iface.rx_bps",
        "instance": "*1",
        "label": label,
        "unit": "bits_per_second",
        "lane": "rate",
        "times_us": [1, 2],
        "values": [5.0, math.nan],
        "maximum": [],
    }
    return SimpleNamespace(**(values | more))


@tagged("post_install", "-at_install")
class TestDeviceLive(MtdCase):
    """What the widgets read: asked of the company's mtd, as the user may see it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.viewer = cls._user("live-viewer", "viewer")
        cls.trusted = cls._user("live-trusted", "viewer,subscriber_data")
        cls.stranger = cls._user("live-stranger", "viewer", cls.other_company)

    def setUp(self):
        super().setUp()
        self.device = self._device()
        self.asked = []
        self.clock_asked = 0
        self.mtd_time = SEEN
        self.found = SimpleNamespace(series=[series_of()], bucket_us=0)
        self.mtd.query_range = self._query_range
        self.mtd.health = self._health

    def _query_range(self, device, metrics=(), **arguments):
        self.asked.append((device, metrics, arguments))
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def _health(self, device, *, seconds=86_400, end=None):
        if seconds == 1:
            self.clock_asked += 1
            return SimpleNamespace(start=self.mtd_time, end=self.mtd_time, segments=[])
        self.asked.append((device, seconds))
        segment = SimpleNamespace(from_us=1, to_us=2, status="down", reason="connection refused")
        return SimpleNamespace(start=SEEN, end=SEEN + timedelta(seconds=1), segments=[segment])

    def _history(self, user, metrics=None, seconds=300, **more):
        return self.device.with_user(user).live_history(RX if metrics is None else metrics, seconds, **more)

    def test_history_is_what_mtd_has(self):
        found = self._history(self.viewer, end_us=END_US, points=60)
        span = {"start": END_US - 300_000_000, "end": END_US, "max_points": 60}
        self.assertEqual(self.asked, [(self.device.mtd_id, RX, span)])
        self.assertEqual((found["start_us"], found["end_us"], found["bucket_us"]), (span["start"], END_US, 0))
        [series] = found["series"]
        self.assertEqual((series["t_us"], series["v"], series["label"]), ([1, 2], [5.0, None], "ether1"))
        self.assertNotIn("max", series)

    def test_history_ends_now_by_the_clock_of_mtd(self):
        for _ in range(2):
            found = self._history(self.viewer)
            ahead_us = found["end_us"] - round(SEEN.timestamp() * 1_000_000)
            self.assertTrue(0 <= ahead_us < 60_000_000, "not Odoo's now, which is another day")
            self.assertEqual(found["end_us"] - found["start_us"], 300_000_000)
            span = self.asked[-1][2]
            self.assertEqual((span["start"], span["end"]), (found["start_us"], found["end_us"]))
        self.assertEqual(self.clock_asked, 1)
        self._history(self.viewer, end_us=END_US)
        self.connection.sudo().target = "mtd2:50051"
        self._history(self.viewer)
        self.assertEqual(self.clock_asked, 2)

    def test_mtd_is_asked_for_its_time_now_and_then(self):
        steady, told = [100.0], [5_000_000, 9_000_000]
        kept = clocks.Clocks(lambda: steady[0])

        def ask():
            steady[0] += 2  # it was true when the answer was half way
            return told.pop(0)

        self.assertEqual(kept.now_us("c", "mtd:1", ask), 6_000_000)
        steady[0] += 50
        self.assertEqual(kept.now_us("c", "mtd:1", ask), 56_000_000)
        steady[0] += 20
        self.assertEqual(kept.now_us("c", "mtd:1", ask), 10_000_000)

    def test_what_is_no_number_is_refused_in_words(self):
        for bad in (float("inf"), float("nan"), "soon", None, []):
            for ask in (
                lambda bad=bad: self._history(self.viewer, seconds=bad),
                lambda bad=bad: self._history(self.viewer, points=bad),
                lambda bad=bad: self.device.with_user(self.viewer).live_health(bad),
            ):
                with self.subTest(bad=bad), self.assertRaisesRegex(UserError, "no whole number"):
                    ask()
        for bad in (float("inf"), "soon", 2**70, -1):
            with self.subTest(end_us=bad), self.assertRaises(UserError):
                self._history(self.viewer, end_us=bad)
        self.assertEqual(self.asked, [])

    def test_counters_stay_exact_and_means_tell_their_peaks(self):
        counter = series_of(lane="counter", values=[2**53 - 1, 2**53 + 1])
        self.found = SimpleNamespace(series=[counter, series_of(maximum=[9.0, math.nan])], bucket_us=7)
        first, second = self._history(self.viewer)["series"]
        self.assertEqual(first["v"], [2**53 - 1, "9007199254740993"])
        self.assertEqual(second["max"], [9.0, None])

    def test_subscribers_are_for_who_may_see_them(self):
        self.found = SimpleNamespace(series=[series_of(), series_of("<pppoe-anna>")], bucket_us=0)
        told = [one["label"] for one in self._history(self.viewer)["series"]]
        self.assertEqual(told, ["ether1"])
        told = [one["label"] for one in self._history(self.trusted)["series"]]
        self.assertEqual(told, ["ether1", "<pppoe-anna>"])

    def test_another_company_sees_nothing_and_asks_nothing(self):
        with self.assertRaises(AccessError):
            self._history(self.stranger)
        with self.assertRaises(AccessError):
            self.device.with_user(self.stranger).live_health()
        self.assertEqual(self.asked, [])

    def test_health_is_what_mtd_has(self):
        found = self.device.with_user(self.viewer).live_health(604_800)
        self.assertEqual(self.asked, [(self.device.mtd_id, 604_800)])
        start_us = round(SEEN.timestamp() * 1_000_000)
        self.assertEqual((found["start_us"], found["end_us"]), (start_us, start_us + 1_000_000))
        told = {"from_us": 1, "to_us": 2, "status": "down", "reason": "connection refused"}
        self.assertEqual(found["segments"], [told])

    def test_what_fails_is_told_in_words(self):
        self.found = failure("UNAVAILABLE", "can't reach mtd", "is it running?")
        with self.assertRaisesRegex(UserError, r"can't reach mtd.*\n.*is it running\?"):
            self._history(self.viewer)

    def test_too_much_is_refused_before_mtd_is_asked(self):
        for metrics, seconds in (([], 60), (RX * 201, 60), (RX, 0), (RX, 91 * 86_400)):
            with self.subTest(metrics=len(metrics), seconds=seconds), self.assertRaises(UserError):
                self._history(self.viewer, metrics, seconds)
        self.assertEqual(self.asked, [])
        self._history(self.viewer, points=10**9)
        self.assertEqual(self.asked[0][2]["max_points"], 2000)

    def test_a_device_that_mtd_does_not_know_says_so(self):
        self.device = self._new_device(name="new")
        with self.assertRaisesRegex(UserError, "doesn't know new yet"):
            self._history(self.viewer)
