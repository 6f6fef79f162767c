from contextlib import closing
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.sql_db import db_connect
from odoo.tests.common import tagged
from odoo.tools import mute_logger
from psycopg2 import IntegrityError
from psycopg2.errors import LockNotAvailable

from ..gateway import clients, tenants
from ..models.connection_tenant import MikrotikConnection
from .common import SECRET, FakeMtd, MtdCase, device_of, failure

CHANGED = "The connection was changed meanwhile: compare again."
ONLY_ASKED = {"WhoAmI", "ListDevices"}


@tagged("post_install", "-at_install")
class TestConnectionTenant(MtdCase):
    """The other company often shows the token of the first one's tenant, at an address that is spelled otherwise."""

    def setUp(self):
        super().setUp()
        self.other = self.other_connection

    def _asked(self, mtd, before=0):
        return {name for name, *_ in mtd.calls[before:]} - ONLY_ASKED

    def _is_refused(self, connection, text):
        """It is refused in words by the button and the comparison, and nothing is noted, or asked for."""
        mtd = self.other_mtd if connection == self.other else self.mtd
        before = len(mtd.calls)
        connection._test()
        self.assertEqual(connection.state, "failed")
        self.assertIn(text, connection.last_error)
        self.assertNotIn("Acme", connection.last_error)
        self.assertFalse(connection._reconcile())
        self.assertIn(text, connection.last_error)
        self.assertFalse(connection.tenant_id)
        with self.assertRaisesRegex(UserError, text):
            connection._ask(lambda client: client.list_metrics())
        self.assertEqual(self._asked(mtd, before), set())

    def _begin_with_the_first_tenant(self):
        for mtd in (self.mtd, self.other_mtd):
            mtd.tenant, mtd.tenant_id = "default", tenants.FIRST_ID

    # -- of one company ------------------------------------------------------------

    def test_the_tenant_is_noted_by_the_button(self):
        self.assertFalse(self.connection.tenant_id)
        self.assertEqual(self.connection.action_test()["params"]["type"], "success")
        self.assertEqual(self.connection.tenant_id, "id of acme")
        before = len(self.mtd.calls)
        self.connection._ask(lambda client: client.list_metrics())
        self.assertEqual(self.mtd.calls[before:], [("list_metrics", None)], "asked once by each process")

    def test_a_token_of_another_tenant_is_refused(self):
        device = self._device()
        self.mtd.tenant = "elsewhere"
        self.connection.token = SECRET + "2"
        self.assertTrue(self.connection._reconcile() is False)
        self.assertIn("elsewhere", self.connection.last_error)
        self.assertEqual((self.connection.state, self.connection.tenant_name), ("failed", "acme"))
        self.assertFalse(self.connection.tenant_id, "the bridge brings nothing any more")
        before = len(self.mtd.calls)
        device.name = "renamed"
        device._push_ids(device.ids)
        self.assertEqual(device.sync_state, "failed")
        self.assertEqual(self._asked(self.mtd, before), set())
        device.sudo().with_context(mtd_pulled=True).mtd_id = False
        self.connection._test()
        self.assertEqual((self.connection.state, self.connection.tenant_name), ("ok", "elsewhere"))

    def test_a_tenant_that_was_renamed_stays_the_tenant(self):
        self._device()
        self.connection.event_position = "7"
        self.mtd.tenant, self.mtd.tenant_id = "acme 2", "id of acme"
        clients.VERIFIED.clear()
        self.connection._test()
        self.assertEqual((self.connection.state, self.connection.tenant_name), ("ok", "acme 2"))
        self.assertEqual(self.connection.event_position, "7")

    def test_events_of_another_tenant_are_read_from_their_beginning(self):
        self.connection._test()
        self.connection.event_position = "7"
        self.mtd.tenant = "elsewhere"
        self.connection._test()
        self.assertEqual((self.connection.tenant_name, self.connection.event_position), ("elsewhere", "0"))

    def test_at_another_address_it_is_noted_anew(self):
        self.connection._test()
        self.connection.target = "mtd2:443"
        self.assertEqual((self.connection.tenant_id, self.connection.tenant_name), (False, "acme"))
        self.connection._test()
        self.assertEqual(self.connection.tenant_id, "id of acme")

    def test_a_token_of_a_super_admin_is_refused(self):
        self.mtd.role = tenants.SUPER_ADMIN
        self._is_refused(self.connection, "super-admin's")
        self.assertIn("--tenant", self.connection.last_error, "it says what to do")
        self.mtd.role = "viewer"
        self.connection._test()
        self.assertEqual(self.connection.state, "ok")

    def test_a_super_admin_does_not_take_over_what_worked(self):
        self.connection._test()
        self.mtd.role = tenants.SUPER_ADMIN
        self.connection.token = SECRET + "2"
        self.assertFalse(self.connection._reconcile())
        self.assertIn("super-admin's", self.connection.last_error)
        self.assertEqual((self.connection.tenant_id, self.connection.tenant_name), (False, "acme"))

    def test_whoever_belongs_to_no_tenant_is_refused(self):
        from mtd.client.identity import Caller

        nobody = Caller("collector", "edge", "", "", "", ())
        with patch.object(type(self.mtd), "_WhoAmI", lambda mtd, request: nobody):
            self._is_refused(self.connection, "doesn't tell")

    def test_a_list_of_the_tenant_before_is_not_taken_over(self):
        self.mtd.devices["x"] = device_of(id="x")

        def change_then_list(mtd, request):
            self.connection.token = SECRET + "2"
            return list(mtd.devices.values()), ""

        self.connection._test()
        with patch.object(FakeMtd, "_ListDevices", change_then_list):
            self.assertEqual(self.connection._compared(), [(False, CHANGED)])
        self.assertFalse(self.env["mikrotik.device"].search([("mtd_id", "=", "x")]))
        self.assertEqual(self.connection.state, "unknown", "it is to be tested")

    def test_a_token_that_comes_while_mtd_is_asked_is_asked_for_itself(self):
        told = FakeMtd._WhoAmI

        def change_then_tell(mtd, request):
            self.connection.token = SECRET + "2"
            return told(mtd, request)

        with patch.object(FakeMtd, "_WhoAmI", change_then_tell):
            self.assertIn("changed meanwhile", self.connection._test()[0])
        self.assertNotIn(self.connection._key(), clients.VERIFIED)
        self.assertEqual(self.connection._test(), (False, "acme"))

    def test_a_connection_that_is_added_anew_leads_to_the_same_tenant(self):
        device = self._device()
        self.connection.unlink()
        anew = self._connect(self.company)
        self.mtd.tenant = "zenith"
        there, self.mtd.devices = self.mtd.devices, {}
        self._is_refused(anew, "has none of them")
        self.mtd.tenant, self.mtd.devices = "acme", there
        self.assertEqual(anew._test(), (False, "acme"))
        self.assertTrue(anew._reconcile())
        self.assertEqual(device.sync_state, "synced")

    def test_what_waits_to_be_removed_is_removed_from_its_own_tenant(self):
        device = self._device()
        device.active = False
        device._push_ids(device.ids)
        self.mtd.error = failure("UNAVAILABLE", "away")
        device.unlink()
        self.mtd.error = None
        self.mtd.tenant = "zenith"
        self.connection.token = SECRET + "2"
        self.assertIn("devices are those of acme", self.connection._test()[0])
        self.connection.unlink()
        anew = self._connect(self.company)
        self.mtd.devices.clear()
        self.assertIn("has none of them", anew._test()[0])
        # Whoever knows that the old mtd won't come back gives it up.
        self.env["mikrotik.device.removal"].with_user(self._user("giver", "admin")).search([]).unlink()
        self.assertEqual(anew._test(), (False, "zenith"))

    def test_nobody_writes_what_was_found_out(self):
        self.connection._test()
        admin = self._user("tenant-admin", "admin")
        mine = self.connection.with_user(admin)
        for vals in (
            {"tenant_id": False, "tenant_name": False},
            {"tenant_id": "id of zenith"},
            {"event_position": "0"},
            {"state": "ok"},
        ):
            with self.assertRaisesRegex(UserError, "are found out"):
                mine.write(vals)
        mine.unlink()
        connections = self.env["mikrotik.connection"].with_user(admin)
        with self.assertRaisesRegex(UserError, "are found out"):
            connections.create({"target": "127.0.0.1:1", "tenant_id": "id of zenith"})
        made = connections.with_context(default_tenant_id="id of zenith").create({"target": "127.0.0.1:1"})
        self.assertFalse(made.tenant_id)
        made.write({"target": "127.0.0.1:2", "event_days": 3, "token": SECRET})
        made.action_forget_secrets()
        self.assertEqual(made.state, "unknown")
        with self.assertRaisesRegex(UserError, "can't be imported"):
            connections.load(["target"], [["127.0.0.1:3"]])

    # -- of two companies ----------------------------------------------------------

    def test_two_companies_never_have_one_tenant(self):
        self.connection._test()
        self.other_mtd.tenant = self.mtd.tenant
        self.other.target = self.connection.target
        self._is_refused(self.other, "another company")

    def test_one_tenant_however_the_address_is_spelled(self):
        self.connection._test()
        self.other_mtd.tenant = self.mtd.tenant
        self._is_refused(self.other, "another company")

    def test_a_tenant_is_known_by_its_devices_at_another_address(self):
        device = self._device()
        self.other_mtd.devices[device.mtd_id] = self.mtd.devices[device.mtd_id]
        self._is_refused(self.other, "another company")

    def test_they_come_to_it_at_the_same_moment(self):
        self.connection._test()
        self.other_mtd.tenant = self.mtd.tenant
        # What the other did only just isn't seen by a transaction that began before.
        with (
            patch.object(MikrotikConnection, "_tenant_trouble", lambda *args: ""),
            mute_logger("odoo.sql_db"),
        ):
            self._is_refused(self.other, "already that of another company")

    def test_they_come_to_the_first_tenant_one_after_the_other(self):
        self._begin_with_the_first_tenant()
        self.connection.write({"tenant_id": tenants.FIRST_ID, "tenant_name": "default"})
        self.env.cr.execute("SET LOCAL lock_timeout = '50ms'")
        with closing(db_connect(self.env.cr.dbname).cursor()) as another:
            another.execute("SELECT pg_advisory_xact_lock(hashtext('mikrotik_connection'), 0)")
            self.connection._test()  # it has its tenant already
            self.assertEqual(self.connection.state, "ok")
            with self.assertRaises(LockNotAvailable), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
                self.other._test()

    def test_first_tenants_are_told_apart_by_their_devices(self):
        self._begin_with_the_first_tenant()
        self.connection._test()
        self._is_refused(self.other, "no devices yet")
        device = self._device()
        self.other._test()
        self.assertEqual((self.other.state, self.other.tenant_id), ("ok", tenants.FIRST_ID), "another mtd")
        clients.VERIFIED.clear()
        self.connection._test()
        self.assertEqual(self.connection.state, "ok", "it was there first")
        self.other._leave_tenant()
        self.other_mtd.devices[device.mtd_id] = self.mtd.devices[device.mtd_id]
        self._is_refused(self.other, "another company")

    def test_the_first_tenant_at_the_same_address_is_the_same(self):
        self._begin_with_the_first_tenant()
        self._device()
        self.other.target = self.connection.target
        self.other_mtd = self.mtd
        self._is_refused(self.other, "already that of another company")
        with self.assertRaises(IntegrityError), self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
            self.other.tenant_id = tenants.FIRST_ID
            self.env.flush_all()

    def test_what_turns_out_to_be_anothers_brings_nothing_more(self):
        device = self._device()
        self.other._test()
        self.assertEqual(self.other.state, "ok")
        self.other_mtd.devices[device.mtd_id] = self.mtd.devices[device.mtd_id]
        self.assertFalse(self.other._reconcile())
        self.assertFalse(self.other.tenant_id)
        self._is_refused(self.other, "another company")

    def test_sites_and_sets_of_another_company_are_not_taken_over(self):
        site, credentials = self.env["mikrotik.site"].create({"name": "graz"}), self._set()
        site._push_ids(site.ids)
        self.other_mtd.sites[site.mtd_id] = self.mtd.sites[site.mtd_id]
        self.assertFalse(self.other._reconcile())
        self.assertIn("another company", self.other.last_error)
        self.other_mtd.sites.clear()
        self.other_mtd.sets[credentials.mtd_id] = self.mtd.sets[credentials.mtd_id]
        self.assertFalse(self.other._reconcile())
        self.assertIn("another company", self.other.last_error)

    def test_a_name_that_is_anothers_in_mtd_is_not_met(self):
        device = self._device()
        company = {"company_id": self.other_company.id}
        credentials = self._set(**company)
        new = self._new_device(credential_set_id=credentials.id, **company)
        self.other_mtd.devices[device.mtd_id] = self.mtd.devices[device.mtd_id]
        self.other.tenant_id = "id of north"
        self.other.tenant_name = "north"
        new._push_ids(new.ids)
        self.assertEqual((new.mtd_id, new.sync_state, new.status), (False, "failed", "unknown"))
        self.assertIn("ALREADY_EXISTS", new.sync_error)
        self.assertFalse(new.remote_values)
