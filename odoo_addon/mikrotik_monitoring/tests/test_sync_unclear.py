from odoo.exceptions import UserError
from odoo.tests.common import tagged

from .common import MtdCase, device_of, failure


@tagged("post_install", "-at_install")
class TestUnclear(MtdCase):
    """Devices that mtd was sent, and that it may have made."""

    def _lost(self, code="DEADLINE_EXCEEDED", **values):
        """Return a device that mtd made, but whose answer was lost."""
        device = self._new_device(**values)
        create = self.mtd.create_device

        def made_and_lost(**settings):
            create(**settings)
            raise failure(code, "no answer in time")

        self.mtd.create_device = made_and_lost
        device._push_ids(device.ids)
        self.mtd.create_device = create
        self.assertFalse(device.mtd_id)
        return device

    def _until_synced(self, device):
        self.connection._test()  # mtd answers again
        for _try in range(3):
            device._push_ids(device.ids)
        self.assertEqual(device.sync_state, "synced", device.sync_error)

    def test_renamed_after_a_lost_answer_is_one_device(self):
        for code in ("DEADLINE_EXCEEDED", "UNAVAILABLE", "ABORTED", "INTERNAL"):
            with self.subTest(code):
                self.mtd.devices.clear()
                device = self._lost(code, name=f"core {code}")
                device.write({"name": f"edge {code}", "notes": "moved"})
                self._until_synced(device)
                [there] = self.mtd.devices.values()
                self.assertEqual((there.id, there.name, there.notes), (device.mtd_id, device.name, "moved"))
                self.assertFalse(device.sync_sent)

    def test_changed_while_it_was_on_its_way(self):
        device = self._new_device()
        push = device._push_begin()
        device.name = "edge-1"
        self.mtd.create_device(request_id=push.request_id, **push.settings)
        device._push_end(push, None, failure("DEADLINE_EXCEEDED"))
        self._until_synced(device)
        self.assertEqual([there.name for there in self.mtd.devices.values()], ["edge-1"])

    def test_login_taken_away_after_a_lost_answer(self):
        device = self._lost()
        device.credential_set_id = False
        self._until_synced(device)
        self.assertEqual(len(self.mtd.devices), 1)

    def test_what_was_not_made_is_sent_anew(self):
        device = self._new_device()
        self.mtd.error = failure("UNAVAILABLE")
        device._push_ids(device.ids)
        self.assertTrue(device.sync_sent)
        self.mtd.error = None
        other = device_of(host="198.51.100.1")
        self.mtd.devices[other.id] = other
        device.name = "edge-1"
        self._until_synced(device)
        self.assertNotEqual(device.mtd_id, other.id)
        self.assertEqual({there.name for there in self.mtd.devices.values()}, {"core-1", "edge-1"})

    def test_other_refusals_leave_it_unclear(self):
        device = self._lost()
        self.connection._test()  # mtd answers again
        self.mtd.error = failure("PERMISSION_DENIED")
        device._push_ids(device.ids)
        self.assertEqual((device.sync_state, bool(device.sync_sent)), ("failed", True))
        self.mtd.error = None
        device.name = "edge-1"
        self._until_synced(device)
        self.assertEqual(len(self.mtd.devices), 1)

    def test_comparison_makes_no_second_one_here(self):
        device = self._lost()
        device.name = "edge-1"
        self.connection._reconcile()
        self.assertEqual(self.env["mikrotik.device"].search([("company_id", "=", self.company.id)]), device)
        self._until_synced(device)
        self.connection._reconcile()
        self.assertEqual((device.name, device.sync_state), ("edge-1", "synced"))

    def test_deleting_waits_until_it_is_clear(self):
        device = self._lost()
        with self.assertRaisesRegex(UserError, "may have it"):
            device.unlink()
        self._until_synced(device)
        device.active = False
        mtd_id = device.mtd_id
        device.unlink()
        self.env["mikrotik.device"]._push_due()
        self.assertNotIn(mtd_id, self.mtd.devices)

    def test_deleting_where_there_is_no_connection_any_more(self):
        device = self._lost()
        self.connection.unlink()
        device.unlink()
        self.assertFalse(device.exists())

    def test_users_do_not_write_what_was_sent(self):
        device = self._lost().with_user(self._user("unclear-admin", "admin"))
        with self.assertRaisesRegex(UserError, "sync_sent"):
            device.write({"sync_sent": False})
