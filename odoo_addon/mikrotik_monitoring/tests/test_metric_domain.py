from datetime import UTC, datetime

from odoo.tests import TransactionCase, tagged

from ..gateway.source import Series
from ..models.metric_domain import Pattern, asked_of

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ONE = datetime(2026, 11, 28, 13, tzinfo=UTC)


def texts(domain):
    return {pattern.text for pattern in asked_of(domain).patterns}


@tagged("post_install", "-at_install")
class TestMetricDomain(TransactionCase):
    """What is read must never be less than what a domain asks for."""

    def test_nothing_is_asked_of_an_empty_domain(self):
        asked = asked_of([])
        self.assertEqual((asked.devices, asked.start, asked.end, asked.patterns), (None, None, None, ()))
        self.assertEqual(asked.resolution, "auto")

    def test_devices_by_id_by_name_and_by_their_fields(self):
        self.assertEqual(asked_of([("device_id", "in", [1, 2])]).devices, [("id", "in", [1, 2])])
        self.assertEqual(asked_of([("device_id", "ilike", "core")]).devices, [("name", "ilike", "core")])
        self.assertEqual(asked_of([("device_id.site_id", "=", 3)]).devices, [("site_id", "=", 3)])

    def test_an_alternative_without_a_device_asks_for_none(self):
        self.assertIsNone(asked_of(["|", ("device_id", "=", 1), ("unit", "=", "state")]).devices)
        both = asked_of(["|", ("device_id", "=", 1), ("device_id", "=", 2)]).devices
        self.assertEqual(both, ["|", ("id", "=", 1), ("id", "=", 2)])

    def test_what_is_denied_is_turned_round_first(self):
        denied = ["!", "|", ("device_id", "=", 1), ("metric", "=", "iface.rx_bps")]
        self.assertEqual(asked_of(denied).devices, [("id", "!=", 1)])
        self.assertEqual(texts(denied), set())

    def test_what_cannot_be_turned_round_is_no_bound(self):
        one, other = ("device_id", "=?", 1), ("device_id", "=", 2)
        self.assertIsNone(asked_of(["!", one]).devices)
        self.assertEqual(asked_of(["!", one, other]).devices, [("id", "=", 2)])
        self.assertIsNone(asked_of(["|", "!", one, other]).devices)

    def test_what_is_no_text_is_no_bound(self):
        for leaf in (
            ("metric", "ilike", 1),
            ("metric", "=", 1),
            ("key", "in", ["a", 1]),
            ("label", "in", False),
            ("resolution", "in", [5]),
            ("resolution", "in", 5),
            ("time", ">", 5),
        ):
            with self.subTest(leaf=leaf):
                asked = asked_of([leaf])
                self.assertEqual((asked.patterns, asked.resolution, asked.start), ((), "auto", None))

    def test_times(self):
        asked = asked_of([("time", ">=", "2026-11-28 12:00:00"), ("time", "<", "2026-11-28 13:00:00")])
        self.assertEqual((asked.start, asked.end), (NOON, ONE))
        self.assertEqual(asked_of([("time", ">=", "2026-11-28 12:00:00")]).end, None)

    def test_a_group_of_hours_is_read_with_the_range_that_it_is_a_part_of(self):
        group = [("time", ">=", "2026-11-28 12:00:00"), ("time", "<", "2026-11-28 13:00:00")]
        asked = asked_of([("time", ">=", "2026-11-27 00:00:00"), *group])
        self.assertEqual((asked.start.day, asked.end), (27, None))

    def test_alternatives_of_times_reach_over_both(self):
        asked = asked_of(["|", ("time", ">=", "2026-11-28 13:00:00"), ("time", ">=", "2026-11-28 12:00:00")])
        self.assertEqual(asked.start, NOON)
        open_end = ["|", ("time", "<", "2026-11-28 13:00:00"), ("time", ">=", "2026-11-28 12:00:00")]
        self.assertEqual((asked_of(open_end).start, asked_of(open_end).end), (None, None))

    def test_series(self):
        self.assertEqual(texts([("metric", "in", ["a.b", "a.c"])]), {"a.b", "a.c"})
        self.assertEqual(texts([("metric", "ilike", "RX_bps")]), {"*rx?bps*"})
        self.assertEqual(texts([("label", "=", "ether1")]), {"*.ether1.*"})
        self.assertEqual(texts([("label", "=", False)]), set())
        self.assertEqual(texts(["|", ("metric", "=", "a"), ("unit", "=", "b")]), set())
        self.assertEqual(texts([("label", "=", "ether1"), ("metric", "=", "iface.rx_bps")]), {"iface.rx_bps"})

    def test_capitals(self):
        known = [Series("d", "iface.rx_bps", "*1", "eTheR1", "iface.eTheR1.rx_bps", "", (), ())]
        spelled = Pattern("*ether1*", any_case=True).spelled(known)
        self.assertIn("iface.eTheR1.rx_bps", spelled)
        self.assertIn("*ETHER1*", spelled)

    def test_resolutions(self):
        self.assertEqual(asked_of([("resolution", "=", "raw")]).resolution, "raw")
        self.assertEqual(asked_of([("resolution", "=", "20s")]).resolution, "20s")
        self.assertEqual(asked_of([("resolution", "=", "soon")]).resolution, "auto")
        self.assertEqual(asked_of([("resolution", "in", ["raw", "5m"])]).resolution, "auto")
