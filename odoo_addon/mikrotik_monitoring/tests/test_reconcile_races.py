from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests.common import tagged

from .common import MtdCase

EDIT = """
    UPDATE mikrotik_device SET notes = 'ours', sync_state = 'pending', sync_base = '{"notes": ""}',
        sync_edits = sync_edits + 1, remote_values = NULL WHERE id = %s
"""


@tagged("post_install", "-at_install")
class TestRaces(MtdCase):
    """Users who commit while a comparison runs.

    What they write goes past the records that the comparison has read, as it does in the bridge's transactions.
    """

    def _compare_while(self, sql, *args):
        """Compare with mtd; a user commits when all is read and nothing is written yet."""
        devices = type(self.env["mikrotik.device"])
        free_names, done = devices._free_names, []

        def meanwhile(model, *names):
            if not done:
                self.env.flush_all()
                [(one.name, one.notes, one.sync_state, one.mtd_revision) for one in model.search([])]
                self.env.cr.execute(sql, args)
                done.append(True)
            return free_names(model, *names)

        with patch.object(devices, "_free_names", meanwhile):
            self.connection._reconcile()
        self.env.invalidate_all()
        self.assertTrue(done)

    def test_an_edit_is_not_overwritten(self):
        device = self._device()
        self.mtd.update_device(device.mtd_id, notes="theirs")
        self._compare_while(EDIT, device.id)
        self.assertEqual((device.notes, device.sync_state, device.mtd_revision), ("ours", "pending", 1))
        device._push_ids(device.ids)
        self.assertEqual((device.notes, device.sync_state), ("ours", "conflict"))
        self.assertEqual(device.remote_values["values"], {"notes": "theirs"})

    def test_a_conflict_that_was_settled_meanwhile(self):
        device = self._device()
        self.mtd.update_device(device.mtd_id, notes="theirs")
        device.notes = "mine"
        device._push_ids(device.ids)
        self.assertEqual(device.sync_state, "conflict")
        self.mtd.update_device(device.mtd_id, notes="theirs again")
        self._compare_while(EDIT, device.id)
        self.assertEqual((device.notes, device.sync_state), ("ours", "pending"))
        self.assertFalse(device.remote_values)

    def test_an_edit_of_one_that_is_gone(self):
        device = self._device()
        device._pulled({"sync_at": fields.Datetime.now() - timedelta(hours=1)})
        self.mtd.devices.clear()
        created = "UPDATE mikrotik_device SET mtd_id = NULL, sync_state = 'pending' WHERE id = %s"
        self._compare_while(created, device.id)
        self.assertEqual(device.sync_state, "pending", "it is created again")

    def test_a_name_that_a_user_changed(self):
        one, two = self._device(), self._device(name="core-2", host="192.0.2.2")
        self.mtd.update_device(one.mtd_id, name="core-2")
        self.mtd.update_device(two.mtd_id, name="core-3")
        renamed = "UPDATE mikrotik_device SET name = 'edge', sync_state = 'pending' WHERE id = %s"
        self._compare_while(renamed, two.id)
        self.assertEqual((one.name, two.name, two.sync_state), ("core-2", "edge", "pending"))

    def test_one_that_was_deleted(self):
        device = self._device()
        self.mtd.update_device(device.mtd_id, notes="theirs")
        self._compare_while("DELETE FROM mikrotik_device WHERE id = %s", device.id)
        self.assertFalse(device.exists())
