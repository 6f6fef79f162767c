import asyncio
import inspect
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

from odoo import models
from odoo.addons.base.models.ir_autovacuum import is_autovacuum
from odoo.exceptions import AccessError, UserError
from odoo.tests.common import tagged

from ..models import viewing
from .common import MtdCase
from .test_event import event_of

TAB = "00000000-0000-4000-8000-00000000000%d"


class StoreCase(MtdCase):
    """A device, who may look at it, and the store of the bridge."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.viewer = cls._user("viewing-viewer", "viewer")
        cls.trusted = cls._user("viewing-trusted", "viewer,subscriber_data")

    def setUp(self):
        super().setUp()
        self.device = self._device()

    @contextmanager
    def _store(self):
        """Give the bridge's store, working in the transaction of this test."""
        from ..bridge.odoo_store import OdooStore

        env = self.env

        class StoreOfTest(OdooStore):
            @contextmanager
            def _env(self, *, bounded=True):
                env.flush_all()
                yield env

            @contextmanager
            def _idle(self):
                yield env

            def _retrying(self, work):
                with self._writing() as env:
                    return work(env)

        yield StoreOfTest(env.cr.dbname)


@tagged("post_install", "-at_install")
class TestViewing(StoreCase):
    def _rows(self):
        self.env.cr.execute(
            "SELECT user_id, kind FROM mikrotik_viewing WHERE device_id = %s", [self.device.id]
        )
        return sorted(self.env.cr.fetchall())

    def _told(self):
        """Return a patcher that counts what the bridge is told."""
        return patch.object(type(self.device), "_tell_bridge", autospec=True)

    def test_looking_is_noted_and_the_bridge_is_told_once(self):
        device = self.device.with_user(self.viewer)
        with self._told() as told:
            answer = device.live_watch(TAB % 1)
            device.live_watch(TAB % 1)
        self.assertEqual(told.call_count, 1)
        self.assertEqual(
            answer,
            {
                "channel": f"mikrotik_monitoring.device.{self.device.id}",
                "kind": "plain",
                "bridge_seen_s": None,
            },
        )
        self.assertEqual(self._rows(), [(self.viewer.id, "plain")])

    def test_viewers_who_left_are_removed_also_without_a_bridge(self):
        device, viewings = self.device.with_user(self.viewer), self.env["mikrotik.viewing"]
        for number in (1, 2):
            device.live_watch(TAB % number)
        self.env.cr.execute(
            "UPDATE mikrotik_viewing SET until = until - interval '1 hour' WHERE viewer = %s", [TAB % 1]
        )
        [clean] = [method for _, method in inspect.getmembers(type(viewings), is_autovacuum)]
        clean(viewings)
        self.env.cr.execute("SELECT viewer FROM mikrotik_viewing WHERE device_id = %s", [device.id])
        self.assertEqual(self.env.cr.fetchall(), [(TAB % 2,)])

    def test_who_may_see_subscribers_gets_the_full_channel(self):
        self.assertEqual(self.device.with_user(self.trusted).live_watch(TAB % 1)["kind"], "full")
        self.assertEqual(self._rows(), [(self.trusted.id, "full")])

    def test_looking_away_ends_ones_own_only(self):
        self.device.with_user(self.viewer).live_watch(TAB % 1)
        self.device.with_user(self.trusted).live_watch(TAB % 2)
        self.device.with_user(self.viewer).live_unwatch(TAB % 2)
        self.device.with_user(self.viewer).live_watch(TAB % 2)
        self.assertIn((self.trusted.id, "full"), self._rows())
        with self._told() as told:
            self.device.with_user(self.viewer).live_unwatch(TAB % 1)
            self.device.with_user(self.viewer).live_unwatch(TAB % 1)
        self.assertEqual(told.call_count, 1)
        self.assertEqual(self._rows(), [(self.trusted.id, "full")])

    def test_it_ends_by_itself(self):
        with self._store() as store:
            self.device.with_user(self.viewer).live_watch(TAB % 1)
            self.assertEqual([one.device_id for one in store.viewed()], [self.device.id])
            self.env.cr.execute("UPDATE mikrotik_viewing SET until = until - interval '46 s'")
            self.assertFalse(store.viewed())
            self.assertEqual(store.purge(), 1)

    def test_only_who_sees_the_device_may_look(self):
        stranger = self._user("viewing-stranger", "viewer", self.other_company)
        for method in ("live_watch", "live_unwatch"):
            with self.assertRaises(AccessError):
                getattr(self.device.with_user(stranger), method)(TAB % 1)
            with self.assertRaises(AccessError):
                getattr(self.device.with_user(self.env.ref("base.public_user")), method)(TAB % 1)
        self.assertFalse(self._rows())

    def test_a_viewer_is_a_uuid_and_a_user_has_not_many(self):
        device = self.device.with_user(self.viewer)
        for bad in ("", "x", None, 5, TAB.replace("0", "A"), "'; DROP TABLE res_users; --"):
            with self.assertRaises(UserError):
                device.live_watch(bad)
        with patch.object(viewing, "MOST_OF_A_USER", 2):
            device.live_watch(TAB % 1)
            device.live_watch(TAB % 2)
            with self.assertRaises(UserError):
                device.live_watch(TAB % 3)
            device.live_watch(TAB % 2)

    def test_it_is_told_when_a_bridge_was_heard_of(self):
        with self._store() as store:
            store.heartbeat([self.connection.id])
        self.connection.invalidate_recordset()
        self.assertLess(self.device.with_user(self.viewer).live_watch(TAB % 1)["bridge_seen_s"], 30)


@tagged("post_install", "-at_install")
class TestTicks(StoreCase):
    """What the bridge does to Odoo while values flow."""

    def _frame(self, t_us):
        series = [
            SimpleNamespace(
                metric="iface.rx_bps", instance="*1", label="ether1", unit="bits_per_second", lane="rate"
            ),
            SimpleNamespace(
                metric="system.cpu.load_pct", instance="", label="", unit="percent", lane="gauge"
            ),
        ]
        layout = SimpleNamespace(poll_group="t0", series=series)
        return SimpleNamespace(
            layout=layout, collected_at_us=t_us, counters=[], counters_present=b"", gauges=[5.0], rates=[1e6]
        )

    def test_no_value_is_a_record(self):
        """Ticks make rows of the bus, one a device and kind, and nothing else."""
        from ..bridge.figures import Figures
        from ..bridge.publisher import Publisher
        from ..bridge.skew import Skew
        from ..bridge.state import DeviceState

        self.device.with_user(self.viewer).live_watch(TAB % 1)
        self.device.with_user(self.trusted).live_watch(TAB % 2)
        self.env.flush_all()
        made = Counter()
        create = models.BaseModel.create

        def counting(records, vals_list):
            made[records._name] += len(vals_list) if isinstance(vals_list, list) else 1
            return create(records, vals_list)

        class Inline:
            async def call(self, function, *arguments):
                return function(*arguments)

        async def tick(publisher, state, count):
            for number in range(count):
                state.take_frame(self._frame(1_700_000_000_000_000 + number))
                publisher.tick()
                await publisher._writing

        with self._store() as store, patch.object(models.BaseModel, "create", counting):
            (viewed,) = store.viewed()
            state = DeviceState(viewed.device_id, viewed.mtd_id, viewed.facts)
            tenant = SimpleNamespace(states={viewed.device_id: state}, connected=True, skew=Skew())
            publisher = Publisher(
                store, Inline(), Figures(), {viewed.connection_id: tenant}, SimpleNamespace(news=list)
            )
            publisher.view([viewed])
            asyncio.run(tick(publisher, state, 5))
            store.heartbeat([self.connection.id])
            store.take_events(self.connection.id, [event_of(1)], 0)
            store.purge()
        self.assertEqual(made, {"bus.bus": 10})
        rows = self.env["bus.bus"].search([("channel", "like", '"mikrotik.device"')])
        self.assertEqual(
            set(rows.mapped("channel")),
            {
                f'["{self.env.cr.dbname}","mikrotik.device",{self.device.id},"{kind}"]'
                for kind in ("plain", "full")
            },
        )

    def test_old_messages_are_removed(self):
        with self._store() as store:
            self.env["bus.bus"]._sendone((self.device, "plain"), "mikrotik_monitoring.live", {"device": 1})
            self.env["bus.bus"]._sendone("somebody", "else", {})
            self.env.flush_all()
            before = self.env["bus.bus"].search_count([])
            self.env.cr.execute("UPDATE bus_bus SET create_date = create_date - interval '5 minutes'")
            self.assertEqual(store.purge(), 1)
            self.assertEqual(self.env["bus.bus"].search_count([]), before - 1)

    def test_the_store_tells_what_is_set_up(self):
        with self._store() as store:
            found = {one.id: one for one in store.connections()}
            mine = found[self.connection.id]
            self.assertFalse(mine.problem)
            self.assertEqual(mine.options["target"], "mtd:50051")
            self.assertNotIn("a-secret", repr(found))
            self.other_connection._folder().remove()
            self.assertIn(
                "no token", {one.id: one for one in store.connections()}[self.other_connection.id].problem
            )

    def test_the_store_reads_models_anew_and_notices_an_upgrade(self):
        with self._store() as store, patch("odoo.modules.registry.Registry.check_signaling"):
            self.assertTrue(store.refresh())
            module = self.env["ir.module.module"].search([("name", "=", "mikrotik_monitoring")])
            module.latest_version = "17.0.99.0.0"
            self.assertFalse(store.refresh())
            module.state = "uninstalled"
            self.assertFalse(store.refresh())
