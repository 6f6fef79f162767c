from contextlib import closing, contextmanager

from odoo import fields
from odoo.sql_db import db_connect
from odoo.tests.common import tagged
from odoo.tools import mute_logger
from psycopg2.errors import LockNotAvailable

from ..bridge.odoo_store import OdooStore
from ..gateway import clients
from ..models import connection_sync
from .common import CommittedCase, device_of, failure

TABLES = (
    "mikrotik_connection",
    "mikrotik_site",
    "mikrotik_device",
    "mikrotik_device_removal",
    "mikrotik_credential_set",
)
OPEN = """
    SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%%'
    AND pid <> %s
"""


@tagged("post_install", "-at_install")
class TestTransactions(CommittedCase):
    """An mtd that is slow keeps no transaction open: an upgrade of the addon would wait, and all behind it."""

    def setUp(self):
        super().setUp()
        with self._committed() as env:
            self.connection_id = env["mikrotik.connection"].search([], order="id desc", limit=1).id
            env["mikrotik.connection"].browse(self.connection_id)._line()  # whose tenant it is, is asked once
        self.connection = self.env["mikrotik.connection"].browse(self.connection_id)
        self.asked = []

    @contextmanager
    def _another(self):
        """Give a cursor of somebody else, which waits for nobody."""
        with closing(db_connect(self.env.cr.dbname).cursor()) as cr:
            cr.execute("SET LOCAL lock_timeout = '50ms'")
            yield cr
            cr.commit()  # pylint: disable=invalid-commit

    def _upgrade_while_it_is_asked(self):
        """Change all tables, as upgrades do, during each call to mtd: it fails where a transaction is open."""
        note = self.mtd._note

        def upgrade(method, argument=None):
            with self._another() as cr:
                for table in TABLES:
                    cr.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT")
                cr.execute(OPEN, [self.env.cr._cnx.get_backend_pid()])
                self.assertFalse(cr.fetchall(), "a transaction is open")
            self.asked.append(method)
            return note(method, argument)

        self.mtd._note = upgrade

    def _read(self, model, record_id, name):
        with self._committed() as env:
            return env[model].browse(record_id)[name]

    def _removal(self):
        with self._committed() as env:
            made = env["mikrotik.device.removal"].create(
                {"name": "gone", "mtd_id": "gone", "company_id": env.company.id}
            )
            self.addCleanup(self._remove, made)
            return made.id

    def test_pushes(self):
        removal_id = self._removal()
        self._upgrade_while_it_is_asked()
        OdooStore(self.env.cr.dbname).push_due(self.connection_id)
        self.assertEqual(self.asked, ["CreateSite", "create_device", "delete_device"])
        for model, record_id in (("site", self.site_id), ("device", self.device_id)):
            self.assertEqual(self._read(f"mikrotik.{model}", record_id, "sync_state"), "synced")
        self.assertEqual(self._read("mikrotik.device.removal", removal_id, "state"), "done")

    def test_pushes_of_the_job(self):
        self._upgrade_while_it_is_asked()
        self.env["mikrotik.connection"]._cron_push()
        self.assertEqual(self._read("mikrotik.device", self.device_id, "sync_state"), "synced")

    def test_comparisons(self):
        self._upgrade_while_it_is_asked()
        self.assertTrue(OdooStore(self.env.cr.dbname).reconcile(self.connection_id).complete)
        self.assertTrue(self.connection._reconcile())
        self.assertEqual(self.asked, ["ListCredentialSets", "ListSites", "ListDevices"] * 2)
        self.assertTrue(self._read("mikrotik.connection", self.connection_id, "reconciled_at"))

    def test_noting_the_tenant_keeps_no_row_from_the_bridge(self):
        with self._committed() as env:
            env["mikrotik.connection"].browse(self.connection_id).tenant_id = False
        clients.VERIFIED.clear()
        note = self.mtd._note

        def note_while_the_bridge_writes(method, argument=None):
            with self._another() as cr:
                cr.execute(
                    "UPDATE mikrotik_connection SET bridge_seen_at = now() AT TIME ZONE 'UTC' WHERE id = %s",
                    [self.connection_id],
                )
            self.asked.append(method)
            return note(method, argument)

        self.mtd._note = note_while_the_bridge_writes
        with self._committed() as env:
            connection = env["mikrotik.connection"].browse(self.connection_id)
            self.assertEqual(connection._test(), (False, "acme"))
        self.assertEqual(self.asked, ["WhoAmI", "ListDevices", "list_metrics"])
        self.assertEqual(self._read("mikrotik.connection", self.connection_id, "state"), "ok")

    def test_events_come_while_devices_are_taken_over(self):
        with self._committed() as env:
            env["mikrotik.device"].browse(self.device_id)._hold()
            with self._another() as cr:  # what the database does for a row that points there
                cr.execute("SELECT FROM mikrotik_device WHERE id = %s FOR KEY SHARE", [self.device_id])
            with self._another() as cr, mute_logger("odoo.sql_db"), self.assertRaises(LockNotAvailable):
                cr.execute("SELECT FROM mikrotik_device WHERE id = %s FOR NO KEY UPDATE", [self.device_id])
                self.fail("others can write it")

    def test_what_fails_is_noted(self):
        self._upgrade_while_it_is_asked()
        self.mtd.error = failure("PERMISSION_DENIED", "not for you")
        OdooStore(self.env.cr.dbname).push_due(self.connection_id)
        self.assertIn("not for you", self._read("mikrotik.site", self.site_id, "sync_error"))
        self.assertFalse(self.connection._reconcile())
        self.assertIn("not for you", self._read("mikrotik.connection", self.connection_id, "last_error"))

    def test_nobody_sends_what_another_process_sends(self):
        sent = []

        def noting(*args, **kwargs):
            sent.append("site")
            sent.append(self.env["mikrotik.site"]._push_one(self.site_id, 3))
            return create(*args, **kwargs)

        create, self.mtd._CreateSite = self.mtd._CreateSite, noting
        self.assertEqual(self.env["mikrotik.site"]._push_ids([self.site_id]), 1)
        self.assertEqual(sent, ["site", None])
        held = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
        self.env.cr.execute(held, [self.site_id])
        self.assertFalse(self.env.cr.fetchall(), "nobody holds it any more")

    def test_a_comparison_meets_the_bridge(self):
        there = device_of(name="edge-1")
        self.mtd.devices[there.id] = there
        devices = type(self.env["mikrotik.device"])
        free_names = devices._free_names

        def meanwhile(model, *names):
            # As the bridge does: events, and that it lives.
            with self._another() as cr:
                cr.execute(
                    "UPDATE mikrotik_connection SET event_position = '7', bridge_seen_at = now() WHERE id = %s",
                    [self.connection_id],
                )
            return free_names(model, *names)

        self.patch(devices, "_free_names", meanwhile)
        told = self.connection.with_user(self.env.ref("base.user_admin")).action_reconcile()
        self.assertEqual(told["params"]["type"], "success", told)
        with self._committed() as env:
            made = env["mikrotik.device"].search([("mtd_id", "=", there.id)])
            self.addCleanup(self._remove, made)
            self.assertEqual(made.name, "edge-1")
            connection = env["mikrotik.connection"].browse(self.connection_id)
            self.assertEqual((connection.event_position, connection.state), ("7", "ok"))

    def test_two_comparisons_take_over_one_after_the_other(self):
        self.patch(connection_sync, "LOCKED_S", 0.05)
        with self._another() as cr:
            cr.execute(
                "SELECT pg_advisory_xact_lock(hashtext('mikrotik comparison'), %s)", [self.connection_id]
            )
            with mute_logger("odoo.sql_db", connection_sync.__name__):
                self.assertFalse(self.connection._reconcile())
        self.assertTrue(self.connection._reconcile())

    def test_a_comparison_that_others_hold_up_says_so(self):
        self.patch(connection_sync, "LOCKED_S", 0.05)
        with self._another() as cr:
            cr.execute("SELECT 1 FROM mikrotik_connection WHERE id = %s FOR UPDATE", [self.connection_id])
            with mute_logger("odoo.sql_db"), self.assertLogs(connection_sync.__name__, "WARNING") as logs:
                told = self.connection.action_reconcile()
        self.assertEqual(told["params"]["type"], "danger")
        self.assertIn("compare again", told["params"]["message"])
        self.assertIn(LockNotAvailable.__name__, logs.output[0])


@tagged("post_install", "-at_install")
class TestJobs(CommittedCase):
    """The jobs go company by company."""

    def setUp(self):
        super().setUp()
        with self._committed() as env:
            company = env["res.company"].create({"name": "An unlucky one"})
            connection = env["mikrotik.connection"].create({"target": "away:1", "company_id": company.id})
            waiting = env["mikrotik.device"].create(
                [{"name": f"d{number}", "host": "h", "company_id": company.id} for number in range(60)]
            )
            before = fields.Datetime.subtract(fields.Datetime.now(), hours=1)
            waiting.with_context(mtd_pulled=True).sync_next_at = before
            self.connection_id = connection.id
            for record in (company, connection, *waiting):
                self.addCleanup(self._remove, record)

    def test_a_queue_of_one_company_holds_up_no_other(self):
        self.env["mikrotik.connection"]._cron_push()
        with self._committed() as env:
            self.assertEqual(env["mikrotik.device"].browse(self.device_id).sync_state, "synced")

    def test_one_that_fails_holds_up_no_other(self):
        done = []

        def work(connection, _company):
            done.append(connection.id)
            if connection.id != self.connection_id:
                raise ValueError("a defect of ours")

        with self.assertLogs(connection_sync.__name__, "ERROR"):
            self.env["mikrotik.connection"]._for_each(work)
        self.assertEqual(len(done), len(set(done)))
        self.assertGreater(len(done), 1)
        self.assertIn(self.connection_id, done)
