from contextlib import contextmanager

from odoo import SUPERUSER_ID, api, fields
from odoo.modules.registry import Registry
from odoo.tests.common import BaseCase, get_db_name, tagged


@tagged("post_install", "-at_install")
class TestDiagnosticRaces(BaseCase):
    """Bridges and users at the same moment, each with a connection of its own to the database."""

    def setUp(self):
        super().setUp()
        with self._connection() as env:
            company = env["res.company"].create({"name": "Races"})
            device = env["mikrotik.device"].create(
                {"name": "raced", "host": "192.0.2.1", "company_id": company.id, "mtd_id": "raced"}
            )
            run = env["mikrotik.diagnostic"].create(
                {"device_id": device.id, "tool": "ping", "address": "192.0.2.9"}
            )
            run.write({"state": "queued", "queued_at": fields.Datetime.now()})
            self.kept = device.id, company.id
            self.run_id = run.id
        self.addCleanup(self._remove)

    def _remove(self):
        with self._connection() as env:
            env.cr.execute("DELETE FROM mikrotik_device WHERE id = %s", [self.kept[0]])
            env["res.company"].browse(self.kept[1]).unlink()

    @contextmanager
    def _connection(self):
        """Give an environment as the bridge has it; a statement that waits for another one fails."""
        with Registry(get_db_name()).cursor() as cr:
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cr.execute("SET LOCAL lock_timeout = '2s'")
            yield api.Environment(cr, SUPERUSER_ID, {"mtd_pulled": True})

    def _state(self):
        with self._connection() as env:
            return env["mikrotik.diagnostic"].browse(self.run_id).state

    def test_of_two_bridges_one_takes_it(self):
        with self._connection() as first, self._connection() as second:
            self.assertEqual(first["mikrotik.diagnostic"]._claim(5).ids, [self.run_id])
            self.assertFalse(second["mikrotik.diagnostic"]._claim(5))
            first.cr.commit()
            self.assertFalse(second["mikrotik.diagnostic"]._claim(5))
        self.assertEqual(self._state(), "running")

    def test_a_cancel_under_way_is_not_overwritten(self):
        with self._connection() as user, self._connection() as bridge:
            user["mikrotik.diagnostic"].browse(self.run_id).action_cancel()
            self.assertFalse(bridge["mikrotik.diagnostic"]._claim(5))
            user.cr.commit()
            self.assertFalse(bridge["mikrotik.diagnostic"]._claim(5))
        self.assertEqual(self._state(), "cancelled")

    def test_a_cancel_that_came_first_is_seen_at_the_end(self):
        with self._connection() as bridge:
            bridge["mikrotik.diagnostic"]._claim(5)
        with self._connection() as bridge:
            run = bridge["mikrotik.diagnostic"].browse(self.run_id)
            self.assertEqual(run.state, "running")  # and so it is remembered
            with self._connection() as user:
                user["mikrotik.diagnostic"].browse(self.run_id).action_cancel()
            run._end("done", ["one"], "")
        self.assertEqual(self._state(), "cancelled")
