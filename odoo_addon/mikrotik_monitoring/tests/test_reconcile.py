import dataclasses
from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests.common import tagged

from .common import MtdCase, device_of, failure


@tagged("post_install", "-at_install")
class TestReconcile(MtdCase):
    def setUp(self):
        super().setUp()
        self.devices = self.env["mikrotik.device"].with_context(active_test=False)

    def _in_mtd(self, **settings):
        device = device_of(**settings)
        self.mtd.devices[device.id] = device
        return device

    def _of(self, remote):
        return self.devices.search([("mtd_id", "=", remote.id)])

    def _long_ago(self, records):
        records._pulled({"sync_at": fields.Datetime.now() - timedelta(hours=1)})

    def test_what_mtd_has_appears(self):
        made = self._in_mtd(port=28728, username="admin", ways=["api"])
        self.connection._reconcile()
        device = self._of(made)
        self.assertEqual((device.company_id, device.name, device.port), (self.company, "core-1", 28728))
        self.assertEqual((device.sync_state, device.method, device.status), ("synced", "api", "up"))
        self.assertEqual((device.username, device.credential_set_id.id), ("admin", False))
        self.assertEqual(len(device.capability_ids), 3)
        self.assertFalse(self.mtd.called("update_device"), "nothing is pushed back")

    def test_twice_is_the_same(self):
        self._in_mtd()
        self.connection._reconcile()
        before = self.devices.search([]).read(["write_date", "mtd_revision"])
        self.connection._reconcile()
        self.assertEqual(self.devices.search([]).read(["write_date", "mtd_revision"]), before)

    def test_company_is_a_tenant(self):
        made = self._in_mtd()
        self.other_mtd.devices["x"] = device_of(id="x")
        (self.connection | self.other_connection)._reconcile()
        self.assertEqual(self._of(made).company_id, self.company)
        self.assertEqual(self.devices.sudo().search([("mtd_id", "=", "x")]).company_id, self.other_company)

    def test_changes_are_taken_over(self):
        device = self._device()
        self.mtd.update_device(device.mtd_id, host="198.51.100.1", name="renamed")
        self.connection._reconcile()
        self.assertEqual((device.host, device.name, device.sync_state), ("198.51.100.1", "renamed", "synced"))
        self.assertEqual(device.mtd_revision, 2)

    def test_what_waits_is_not_overwritten(self):
        device = self._device()
        device.notes = "ours"
        self.mtd.update_device(device.mtd_id, notes="theirs")
        self.connection._reconcile()
        self.assertEqual((device.notes, device.sync_state), ("ours", "pending"))

    def test_removed_in_mtd_is_missing_not_deleted(self):
        device = self._device()
        self.mtd.devices.clear()
        self.connection._reconcile()
        self.assertEqual(device.sync_state, "synced", "a list may be older than a push")
        self._long_ago(device)
        self.connection._reconcile()
        self.assertEqual((device.exists(), device.sync_state), (device, "missing"))

    def test_back_in_mtd(self):
        device = self._device()
        device._pulled({"sync_state": "missing"})
        self.connection._reconcile()
        self.assertEqual(device.sync_state, "synced")

    def test_made_anew_under_its_name(self):
        device = self._device()
        self.mtd.devices.clear()
        again = self._in_mtd(readonly_credentials="noc")
        self.connection._reconcile()
        self.assertEqual((device.mtd_id, device.sync_state), (again.id, "synced"))

    def test_entered_here_and_there(self):
        device = self._new_device()
        there = self._in_mtd(host="198.51.100.1")
        self.connection._reconcile()
        self.assertEqual((device.mtd_id, device.sync_state), (there.id, "conflict"))

    def test_conflict_is_kept_up_to_date(self):
        device = self._new_device()
        there = self._in_mtd(host="198.51.100.1", readonly_credentials="noc")
        self.connection._reconcile()
        self.mtd.update_device(there.id, host="192.0.2.1")
        self.connection._reconcile()
        self.assertEqual(device.sync_state, "synced", "they came to hold the same")

    def test_names_that_were_swapped(self):
        one, two = self._device(), self._device(name="core-2", host="192.0.2.2")
        self.mtd.update_device(one.mtd_id, name="core-2")
        self.mtd.update_device(two.mtd_id, name="core-1")
        self.connection._reconcile()
        self.assertEqual((one.name, two.name), ("core-2", "core-1"))
        self.assertEqual((one | two).mapped("sync_state"), ["synced", "synced"])

    def test_deleted_here_does_not_come_back(self):
        device = self._device()
        device.active = False
        device.unlink()
        self.connection._reconcile()
        self.assertFalse(self.devices.search([]))

    def test_archived_stays_archived(self):
        device = self._device()
        device.active = False
        device._push_ids(device.ids)
        self.mtd.update_device(device.mtd_id, notes="theirs")
        self.connection._reconcile()
        self.assertEqual((device.active, device.enabled, device.notes), (False, True, "theirs"))

    def test_several_ways_are_left_as_mtd_has_them(self):
        made = self._in_mtd(ways=["api", "snmp"], snmp_version="2c")
        self.connection._reconcile()
        device = self._of(made)
        self.assertEqual(device.method, "custom")
        device.write({"notes": "x", "method": "custom"})
        device._push_ids(device.ids)
        self.assertEqual(self.mtd.devices[made.id].ways, ["api", "snmp"])

    def test_one_that_cannot_be_taken_over_is_told_and_stops_nobody(self):
        self._in_mtd(name="a", host="a host that isn't one")
        good = self._in_mtd(name="b")
        with self.assertLogs("odoo.addons.mikrotik_monitoring", "WARNING"):
            self.connection._reconcile()
        self.assertTrue(self._of(good))
        self.assertIn("a: ", self.connection.last_error)

    def test_mtd_away(self):
        device = self._device()
        self.mtd.error = failure("UNAVAILABLE", "can't reach mtd")
        self.assertFalse(self.connection._reconcile())
        self.assertEqual((self.connection.state, device.sync_state), ("failed", "synced"))
        self.mtd.error = None
        self.assertTrue(self.connection._reconcile())
        self.assertEqual((self.connection.state, self.connection.last_error), ("ok", False))

    def test_sites(self):
        site = self.mtd._place(
            type("Settings", (), {"name": "graz", "notes": "", "address": "here"}), "site-id", 1
        )
        self.mtd.sites[site.id] = site
        made = self._in_mtd(site="graz")
        self.connection._reconcile()
        found = self._of(made).site_id
        self.assertEqual((found.name, found.address, found.sync_state), ("graz", "here", "synced"))
        self.mtd.sites[site.id] = dataclasses.replace(site, name="graz-1", revision=2)
        self.connection._reconcile()
        self.assertEqual(found.name, "graz-1")

    def test_site_is_removed_in_both_or_in_none(self):
        site = self.env["mikrotik.site"].create({"name": "graz"})
        device = self._device(site_id=site.id)
        with self.assertRaisesRegex(UserError, "Devices are at this site"):
            site.unlink()
        device.site_id = False
        with self.assertRaisesRegex(UserError, "devices are there"):
            site.unlink()
        device._push_ids(device.ids)
        mtd_id = site.mtd_id
        site.unlink()
        self.assertNotIn(mtd_id, self.mtd.sites)

    def test_button_and_jobs(self):
        self._in_mtd()
        admin = self._user("reconcile-admin", "admin")
        told = self.connection.with_user(admin).action_reconcile()
        self.assertEqual(told["params"]["type"], "success", told)
        self.assertEqual(len(self.devices.search([])), 1)
        new = self._new_device(name="core-9")
        self.env["mikrotik.connection"]._cron_push()
        self.env["mikrotik.connection"]._cron_reconcile()
        self.assertEqual(new.sync_state, "synced")
