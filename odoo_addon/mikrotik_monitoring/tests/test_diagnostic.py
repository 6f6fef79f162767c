from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests.common import tagged
from odoo.tools import mute_logger
from psycopg2 import IntegrityError

from ..models import diagnostic
from .common import MtdCase, device_of


@tagged("post_install", "-at_install")
class TestDiagnostic(MtdCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls._user("diagnostic-admin", "admin")
        cls.viewer = cls._user("diagnostic-viewer", "viewer")

    def setUp(self):
        super().setUp()
        self.device = self._device()

    def _run(self, **values):
        values = {"device_id": self.device.id, "tool": "ping", "address": "192.0.2.9", **values}
        return self.env["mikrotik.diagnostic"].with_user(self.admin).create(values)

    def test_a_run_is_asked_for_taken_and_ended(self):
        run = self._run()
        self.assertEqual(run.state, "draft")
        with patch.object(type(run), "_tell_bridge", autospec=True) as told:
            run.action_run()
        self.assertEqual(told.call_count, 1)
        self.assertEqual(run.state, "queued")
        taken = self.env["mikrotik.diagnostic"]._claim(5)
        self.assertEqual(taken, run)
        self.assertEqual(run.state, "running")
        self.assertFalse(self.env["mikrotik.diagnostic"]._claim(5))
        run.sudo()._end("done", ["one", "two"], "")
        self.assertEqual((run.state, run.output, run.error), ("done", "one\ntwo", False))
        self.assertTrue(run.ended_at)
        run.action_run()
        self.assertEqual((run.state, run.output), ("queued", False))

    def test_a_cancelled_run_stays_cancelled(self):
        run = self._run()
        run.action_run()
        self.env["mikrotik.diagnostic"]._claim(5)
        run.action_cancel()
        run.sudo()._end("done", ["one"], "")
        self.assertEqual((run.state, run.output), ("cancelled", "one"))

    def test_a_dialog_stays_open_to_show_what_comes(self):
        opened = self.device.with_user(self.admin).action_diagnostics()
        run = self._run()
        self.assertFalse(run.action_run())
        run.action_cancel()
        shown = run.with_context(**opened["context"]).action_run()
        self.assertEqual((shown["res_id"], shown["target"]), (run.id, "new"))

    def test_one_that_runs_is_not_begun_again(self):
        run = self._run()
        run.action_run()
        with self.assertRaises(UserError):
            run.action_run()

    def test_what_no_bridge_took_fails(self):
        run = self._run()
        run.action_run()
        run.sudo().queued_at = fields.Datetime.now() - timedelta(minutes=11)
        self.assertFalse(self.env["mikrotik.diagnostic"]._claim(5))
        self.assertEqual(run.state, "failed")
        self.assertIn("run it again", run.error)

    def test_what_a_dead_bridge_ran_fails(self):
        run = self._run()
        run.action_run()
        self.env["mikrotik.diagnostic"]._claim(5)
        self.assertEqual(self.env["mikrotik.diagnostic"]._fail_orphans(), run)
        self.assertEqual(run.state, "failed")

    def test_bounds_and_aims_are_kept(self):
        for wrong in ({"address": False}, {"tool": "torch"}, {"tool": "traceroute", "address": " "}):
            with self.assertRaises(ValidationError):
                self._run(**wrong)
        for wrong in ({"count": 0}, {"count": 1000}, {"duration_s": 0}, {"duration_s": 3600}):
            with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.cr.savepoint():
                self._run(**wrong)
                self.env.flush_all()

    def test_a_device_that_mtd_does_not_know_has_no_tools(self):
        self.device.with_context(mtd_pulled=True).mtd_id = False
        with self.assertRaises(UserError):
            self._run().action_run()

    def test_a_late_bridge_is_told(self):
        run = self._run()
        self.assertTrue(run.bridge_is_late)
        self.connection.bridge_seen_at = fields.Datetime.now() - timedelta(seconds=30)
        run.invalidate_recordset()
        self.assertFalse(run.bridge_is_late)
        self.connection.bridge_seen_at -= timedelta(seconds=40)
        run.invalidate_recordset()
        self.assertTrue(run.bridge_is_late)

    def test_viewers_run_nothing(self):
        with self.assertRaises(AccessError):
            self._run().with_user(self.viewer).action_run()
        with self.assertRaises(AccessError):
            self.env["mikrotik.diagnostic"].with_user(self.viewer).create(
                {"device_id": self.device.id, "tool": "ping", "address": "192.0.2.9"}
            )

    def test_other_companies_see_nothing(self):
        run = self._run()
        other = self._user("diagnostic-other", "admin", self.other_company)
        theirs = run.with_user(other).with_context(allowed_company_ids=self.other_company.ids)
        self.assertFalse(theirs.search([("id", "=", run.id)]))
        for method in ("action_run", "action_cancel"):
            with self.assertRaises(AccessError):
                getattr(theirs, method)()
        with self.assertRaises(AccessError):
            theirs.create({"device_id": self.device.id, "tool": "ping", "address": "192.0.2.9"})

    def test_how_a_run_goes_is_not_for_users_to_write(self):
        run = self._run()
        forged = {
            "state": "done",
            "output": "all is well",
            "error": "no",
            "user_id": self.viewer.id,
            "company_id": self.other_company.id,
            "queued_at": fields.Datetime.now(),
            "started_at": fields.Datetime.now(),
            "ended_at": fields.Datetime.now(),
        }
        before = run.read(list(forged))
        for name, value in forged.items():
            with self.subTest(name):
                with self.assertRaises(AccessError):
                    run.write({name: value})
                with self.assertRaises(AccessError):
                    self._run(**{name: value})
                with self.assertRaises(AccessError):
                    run.with_context(**{f"default_{name}": value}).create(
                        {"device_id": self.device.id, "tool": "ping", "address": "192.0.2.9"}
                    )
        self.assertEqual(run.read(list(forged)), before)

    def test_defaults_of_a_user_forge_nothing(self):
        defaults = self.env["ir.default"].with_user(self.admin)
        defaults.sudo().set("mikrotik.diagnostic", "state", "queued", user_id=self.admin.id)
        defaults.sudo().set("mikrotik.diagnostic", "user_id", self.viewer.id, user_id=self.admin.id)
        run = self._run()
        self.assertEqual((run.state, run.user_id), ("draft", self.admin))

    def test_no_run_reaches_a_router_of_another_company(self):
        self.other_mtd.devices["x"] = device_of(id="x", name="theirs")
        self.other_connection._reconcile()
        theirs = self.env["mikrotik.device"].sudo().search([("mtd_id", "=", "x")])
        run = self._run()
        with self.assertRaises(UserError):
            run.write({"device_id": theirs.id})
        with self.assertRaises(AccessError):
            self._run(device_id=theirs.id)
        runs = self.env["mikrotik.diagnostic"].with_user(self.admin)
        with self.assertRaises(AccessError):
            runs.with_context(default_device_id=theirs.id).create({"tool": "ping", "address": "192.0.2.9"})
        # However it came to be: it isn't run, neither by its user nor by the bridge.
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mikrotik_diagnostic SET device_id = %s WHERE id = %s", [theirs.id, run.id]
        )
        run.invalidate_recordset()
        with self.assertRaises(AccessError):
            run.action_run()
        run.sudo().write({"state": "queued", "queued_at": fields.Datetime.now()})
        self.assertFalse(self.env["mikrotik.diagnostic"]._claim(5))
        self.assertEqual(run.state, "failed")
        self.assertIn("another company", run.error)

    def test_a_run_stays_with_the_company_that_asked_for_it(self):
        run = self._run()
        run.action_run()
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mikrotik_device SET company_id = %s WHERE id = %s",
            [self.other_company.id, self.device.id],
        )
        self.env.invalidate_all()
        self.assertEqual(run.company_id, self.company)
        self.assertFalse(self.env["mikrotik.diagnostic"]._claim(5))
        self.assertEqual(run.state, "failed")

    def test_what_is_under_way_is_not_changed(self):
        run = self._run()
        run.write({"address": "192.0.2.10", "count": 3})
        run.action_run()
        for change in ({"address": "192.0.2.11"}, {"tool": "torch", "interface": "ether1"}, {"count": 1}):
            with self.assertRaises(UserError):
                run.write(change)
        self.env["mikrotik.diagnostic"]._claim(5)
        with self.assertRaises(UserError):
            run.write({"duration_s": 60})
        run.action_cancel()
        run.write({"address": "192.0.2.11"})
        self.assertEqual((run.address, run.copy().state), ("192.0.2.11", "draft"))

    def test_a_company_may_have_so_many_waiting(self):
        runs = [self._run() for _number in range(diagnostic.MOST_QUEUED + 1)]
        for run in runs[:-1]:
            run.action_run()
        with self.assertRaises(UserError):
            runs[-1].action_run()
        runs[0].action_cancel()
        runs[-1].action_run()
        self.assertEqual(runs[-1].state, "queued")

    def test_each_company_has_its_turn(self):
        mine = [self._run() for _number in range(6)]
        for run in mine:
            run.action_run()
        other = self._user("diagnostic-turn", "admin", self.other_company)
        self.other_mtd.devices["x"] = device_of(id="x", name="theirs")
        self.other_connection._reconcile()
        device = self.env["mikrotik.device"].sudo().search([("mtd_id", "=", "x")])
        runs = self.env["mikrotik.diagnostic"].with_user(other)
        runs = runs.with_context(allowed_company_ids=self.other_company.ids)
        theirs = runs.create({"device_id": device.id, "tool": "ping", "address": "192.0.2.9"})
        theirs.action_run()
        store = self.env["mikrotik.diagnostic"]
        self.assertEqual(store._claim(2).ids, [mine[0].id, theirs.id])
        self.assertEqual(store._claim(8).ids, [mine[1].id, mine[2].id])
        self.assertFalse(store._claim(8))
        mine[1].sudo()._end("done", [], "")
        self.assertEqual(store._claim(8).ids, [mine[3].id])

    def test_what_is_asked_for_anew_has_nothing_of_the_run_before(self):
        run = self._run()
        run.action_run()
        self.env["mikrotik.diagnostic"]._claim(5)
        run.action_cancel()
        run.action_run()
        run.sudo()._end("cancelled", ["old"], "")
        self.assertEqual((run.state, run.output, run.ended_at), ("queued", False, False))

    def test_old_runs_are_removed(self):
        run = self._run()
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mikrotik_diagnostic SET create_date = create_date - interval '31 days' WHERE id = %s",
            [run.id],
        )
        self.env["mikrotik.diagnostic"].invalidate_model()
        self.env["mikrotik.diagnostic"]._gc_runs()
        self.assertFalse(run.exists())
