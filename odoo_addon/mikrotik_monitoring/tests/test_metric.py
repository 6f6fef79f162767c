import inspect
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import TransactionCase, new_test_user, tagged

from mtd.client import LatestPage, LatestValue, MtdClient, RangeResult, TimeSeries

from ..gateway import clients
from ..gateway.source_grpc import CATALOGUES

NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
SERIES = (
    ("iface.rx_bps", "*1", "ether1", "iface.ether1.rx_bps", "bits_per_second", "gauge"),
    ("iface.rx_bps", "*9", "<pppoe-anna>", "iface.<pppoe-anna>.rx_bps", "bits_per_second", "gauge"),
    ("iface.rx_bytes_total", "*1", "ether1", "iface.ether1.rx_bytes_total", "bytes", "counter"),
    ("iface.oper_state", "*1", "ether1", "iface.ether1.oper_state", "state", "gauge"),
)
BIG = 2**53 + 1


class FakeMtd:
    """An mtd with four series of each router, a value a minute, and a memory of what it was asked."""

    def __init__(self, tenant):
        self.tenant = tenant
        self.asked = []

    def ask(self, call):
        if call.method == "ListDevices":
            return [], ""
        assert call.method == "WhoAmI"
        return SimpleNamespace(role="viewer", tenant=self.tenant, tenant_id=f"id of {self.tenant}")

    def list_metrics(self):
        states = SimpleNamespace(key="iface.oper_state", states={0: "down", 1: "up"})
        return SimpleNamespace(metrics=[states], version="1")

    def query_latest(self, devices=(), metrics=(), *, page_size=0, page_token=""):
        self.asked.append(("latest", tuple(devices), tuple(metrics)))
        values = [
            LatestValue(device, "", key, metric, instance, label, unit, 1.0, self._whole(lane), NOW)
            for device in devices
            for metric, instance, label, key, unit, lane in SERIES
        ]
        return LatestPage(values, "", 0.0)

    def query_range(self, device, metrics=(), *, start, end, max_points=0, resolution="auto"):
        self.asked.append(("range", device, tuple(metrics), resolution))
        times = [t for t in range(start // 60_000_000 * 60_000_000, end, 60_000_000) if t >= start]
        series = [
            TimeSeries(
                key, metric, instance, label, unit, lane, times, [self._whole(lane) or 1.0] * len(times)
            )
            for metric, instance, label, key, unit, lane in SERIES
            if not metrics or any(one in (metric, key) or "*" in one for one in metrics)
        ]
        return RangeResult(series, 0, "raw")

    def _whole(self, lane):
        return BIG if lane == "counter" else None

    def close(self):
        """There is nothing to close."""


@tagged("post_install", "-at_install")
class TestMetric(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.companies = cls.env["res.company"].create([{"name": "North"}, {"name": "South"}])
        cls.fakes, cls.devices = {}, cls.env["mikrotik.device"]
        for number, company in enumerate(cls.companies):
            cls.env["mikrotik.connection"].create(
                {
                    "company_id": company.id,
                    "target": f"127.0.0.1:{number + 1}",
                    "tenant_name": company.name,
                }
            )
            cls.fakes[f"127.0.0.1:{number + 1}"] = FakeMtd(company.name)
            cls.devices |= (
                cls.env["mikrotik.device"]
                .with_context(mtd_pulled=True)
                .create(
                    {
                        "name": f"router-{company.name}",
                        "host": f"192.0.2.{number + 1}",
                        "company_id": company.id,
                        "mtd_id": f"00000000-0000-4000-8000-00000000000{number}",
                    }
                )
            )
        cls.viewers = [
            new_test_user(
                cls.env,
                f"viewer-{company.name}",
                "mikrotik_monitoring.group_viewer,base.group_allow_export",
                company_id=company.id,
                company_ids=[(6, 0, company.ids)],
            )
            for company in cls.companies
        ]

    def setUp(self):
        super().setUp()
        self.env.cr.cache.clear()
        CATALOGUES.__init__()
        self.addCleanup(clients.CLIENTS.__init__)
        clients.CLIENTS.__init__()
        self.startPatcher(
            patch.object(clients, "make_client", lambda options, timeout_s: self.fakes[options["target"]])
        )
        connection = type(self.env["mikrotik.connection"])
        self.startPatcher(patch.object(connection, "_is_set_up", lambda record: True))
        for fake in self.fakes.values():
            fake.asked.clear()

    def points(self, number=0, user=None):
        return self.env["mikrotik.metric.point"].with_user(user or self.viewers[number])

    def latest(self, number=0):
        return self.env["mikrotik.metric.latest"].with_user(self.viewers[number])

    def domain(self, number=0, minutes=60):
        since = NOW - timedelta(minutes=minutes)
        return [
            ("device_id", "=", self.devices[number].id),
            ("time", ">=", since.strftime("%Y-%m-%d %H:%M:%S")),
            ("time", "<", NOW.strftime("%Y-%m-%d %H:%M:%S")),
        ]

    def test_the_fake_has_the_signatures_of_the_client(self):
        for name in ("list_metrics", "query_latest", "query_range"):
            theirs = inspect.signature(getattr(MtdClient, name)).parameters
            mine = inspect.signature(getattr(FakeMtd, name)).parameters
            self.assertEqual(list(mine), list(theirs), name)

    def test_a_page_its_count_and_its_groups_are_read_at_once(self):
        points = self.points()
        page = points.web_search_read(self.domain(), {"time": {}, "key": {}, "value": {}}, limit=10)
        self.assertEqual(page["length"], 3 * 60)
        self.assertEqual(len(page["records"]), 10)
        self.assertEqual(points.search_count(self.domain()), 3 * 60)
        groups = points.read_group(self.domain(), ["value:sum", "value_max:max"], ["metric"])
        self.assertEqual({group["metric_count"] for group in groups}, {60})
        self.assertEqual([kind for kind, *_ in self.fakes["127.0.0.1:1"].asked].count("range"), 1)

    def test_order_limit_and_offset(self):
        found = self.points().search(self.domain(), order="time, key", offset=2, limit=3)
        everything = self.points().search(self.domain(), order="time, key")
        self.assertEqual(found, everything[2:5])
        self.assertEqual(everything.mapped("time"), sorted(everything.mapped("time")))

    def test_groups_are_as_many_as_their_rows(self):
        for spec in ("key", "label", "hour", "slot", "time:hour", "time:day", "device_id", "resolution"):
            groups = self.points().read_group(self.domain(minutes=90), ["value"], [spec])
            name = spec.split(":")[0]
            self.assertEqual(sum(group[f"{name}_count"] for group in groups), 3 * 90, spec)
            for group in groups:
                self.env.cr.cache.clear()
                self.assertEqual(self.points().search_count(group["__domain"]), group[f"{name}_count"], spec)

    def test_values(self):
        domain = [*self.domain(minutes=1), ("label", "=", "ether1")]
        rows = self.points().search_read(domain, [])
        found = {row["metric"]: row for row in rows}
        counter, state = found["iface.rx_bytes_total"], found["iface.oper_state"]
        self.assertEqual((counter["value_int"], counter["value_text"]), (str(BIG), False))
        self.assertEqual((state["value_int"], state["value_text"]), (False, "up"))
        self.assertEqual((state["unit"], state["resolution"]), ("state", "raw"))
        self.assertEqual(state["company_id"][0], self.companies[0].id)

    def test_ids_are_the_same_each_time_and_fit_into_javascript(self):
        first = self.points().search(self.domain()).ids
        self.env.cr.cache.clear()
        self.assertEqual(self.points().search(self.domain()).ids, first)
        self.assertEqual(len(set(first)), len(first))
        self.assertLess(max(first), 2**53)

    def test_export_and_names(self):
        found = self.points().search(self.domain(minutes=1))
        (rows,) = found.export_data(["key", "value", "device_id"]).values()
        self.assertEqual(len(rows), 3)
        names = self.points().name_search("rx_bps", self.domain(minutes=1))
        self.assertEqual([name for _id, name in names], ["iface.ether1.rx_bps"])

    def test_ids_without_a_search_are_refused(self):
        with self.assertRaises(UserError):
            self.points().browse(4711).read(["value"])

    def test_without_a_device_or_a_time_nothing_is_asked(self):
        for domain in ([], self.domain()[:1], self.domain()[1:], [("metric", "=", "iface.rx_bps")]):
            self.assertFalse(self.points().search(domain), domain)
        self.assertFalse(self.latest().search([]))
        self.assertEqual(self.fakes["127.0.0.1:1"].asked, [])

    def test_latest_of_a_device_and_of_a_metric(self):
        self.assertEqual(self.latest().search_count([("device_id", "=", self.devices[0].id)]), 3)
        found = self.latest().search([("metric", "=", "iface.rx_bps")])
        self.assertIn("iface.ether1.rx_bps", found.mapped("key"))

    def test_subscribers_are_for_those_who_may_see_them(self):
        domain = [*self.domain(minutes=1), ("metric", "=", "iface.rx_bps")]
        self.assertEqual(self.points().search(domain).mapped("label"), ["ether1"])
        self.viewers[0].groups_id |= self.env.ref("mikrotik_monitoring.group_subscriber_data")
        self.env.cr.cache.clear()
        self.assertEqual(set(self.points().search(domain).mapped("label")), {"ether1", "<pppoe-anna>"})

    def test_rows_of_the_system_aren_t_given_to_a_user(self):
        domain = [*self.domain(minutes=1), ("metric", "=", "iface.rx_bps")]
        everything = self.points().sudo().search(domain)
        self.assertEqual(len(everything), 2)
        self.assertEqual(len(self.points().search(domain)), 1)
        self.env.invalidate_all()
        hidden = everything - self.points().search(domain)
        with self.assertRaises(UserError):
            hidden.with_user(self.viewers[0]).read(["label"])

    def test_a_company_never_sees_another_s(self):
        other = self.domain(1)
        self.assertFalse(self.points().search(other))
        self.assertFalse(self.points().name_search("", other))
        self.assertFalse(self.points().read_group(other, ["value"], ["key"]))
        self.assertFalse(self.latest().search([("device_id", "=", self.devices[1].id)]))
        self.assertEqual(self.fakes["127.0.0.1:2"].asked, [])
        foreign = self.points(1).search(other)
        with self.assertRaises(UserError):
            foreign.with_user(self.viewers[0]).read(["value"])

    def test_who_has_no_role_reads_nothing(self):
        nobody = new_test_user(self.env, "nobody", "base.group_user")
        with self.assertRaises(AccessError):
            self.points(user=nobody).search(self.domain())
        self.assertEqual(self.fakes["127.0.0.1:1"].asked, [])

    def test_a_context_of_the_caller_s_is_no_table(self):
        points = self.points().with_context(mikrotik_metric_rows="(SELECT 1)")
        self.assertEqual(points.search_count(self.domain()), 3 * 60)

    def test_nothing_is_ever_written(self):
        found = self.points().search(self.domain(minutes=1), limit=1)
        for record in (found, found.sudo()):
            for change in (
                lambda record=record: record.create({}),
                lambda record=record: record.write({"metric": "x"}),
                lambda record=record: record.unlink(),
                lambda record=record: record.copy(),
            ):
                with self.assertRaises(UserError):
                    change()
            self.assertFalse(record.check_access_rights("write", raise_exception=False))

    def test_reading_writes_nothing(self):
        points, latest = self.points(), self.latest()
        device = self.domain()[:1]
        points.search(self.domain(minutes=2))  # the first question notes whose tenant it is
        self.env.flush_all()
        self.env.cr.execute("SET TRANSACTION READ ONLY")
        page = points.web_search_read(
            self.domain(), {"time": {}, "device_id": {"fields": {"name": {}}}}, limit=5
        )
        self.assertEqual(page["length"], 3 * 60)
        self.assertTrue(points.web_read_group(self.domain(), ["value"], ["hour"])["groups"])
        (exported,) = points.search(self.domain(minutes=2)).export_data(["time", "value"]).values()
        self.assertEqual(len(exported), 3 * 2)
        self.assertTrue(points.name_search("rx", self.domain()))
        self.assertEqual(latest.web_search_read(device, {"value": {}})["length"], 3)

    def test_too_many_values_are_refused(self):
        domain = [*self.domain(minutes=60 * 24 * 60), ("resolution", "=", "raw")]
        with self.assertRaisesRegex(UserError, "50,000"):
            self.points().search(domain)

    def test_the_action_of_a_device(self):
        action = self.devices[0].with_user(self.viewers[0]).action_device_history()
        self.assertEqual(action["res_model"], "mikrotik.metric.point")
        self.assertEqual(action["context"]["search_default_device_id"], self.devices[0].id)
        with self.assertRaises(AccessError):
            self.devices[1].with_user(self.viewers[0]).action_device_history()
