from unittest.mock import patch

from odoo.exceptions import MissingError, UserError
from odoo.tests.common import tagged

from ..gateway import clients
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

    def test_it_is_noted_before_it_is_sent(self):
        device, create, noted = self._new_device(), self.mtd.create_device, []

        def noting(**settings):
            noted.append((dict(device.sync_sent["settings"]), device.sync_request_id, settings))
            return create(**settings)

        self.mtd.create_device = noting
        self.assertEqual((device._push_ids(device.ids), device.sync_state), (1, "synced"))
        [(settings, request_id, sent)] = noted
        self.assertEqual({**settings, "request_id": request_id}, sent)
        self.assertFalse(device.sync_sent)

    def test_what_could_not_be_sent_is_as_it_was(self):
        device, lost = self._new_device(), self._lost("UNAVAILABLE", name="lost")
        sent = (dict(lost.sync_sent), lost.sync_request_id)
        clients.BREAKER.note(self.connection._key())
        clients.VERIFIED.clear()
        for code in ("UNAVAILABLE", "UNAUTHENTICATED"):
            self.mtd.error = failure(code, "nobody there")
            for one in device | lost:
                clients.BREAKER.note(self.connection._key())
                one._push_ids(one.ids)
                self.assertIn("nobody there", one.sync_error)
            self.assertFalse(device.sync_sent)
            self.assertEqual((dict(lost.sync_sent), lost.sync_request_id), sent)
        device.unlink()

    def test_what_was_refused_at_once_was_not_made(self):
        for code in ("PERMISSION_DENIED", "INVALID_ARGUMENT", "ALREADY_EXISTS", "RESOURCE_EXHAUSTED"):
            device = self._new_device(name=f"core {code}")
            with self.subTest(code), patch.object(self.mtd, "create_device", side_effect=failure(code)):
                device._push_ids(device.ids)
                self.assertFalse(device.sync_sent)
                before = device.sync_request_id
                device.host = "192.0.2.77"
                self.assertNotEqual(device.sync_request_id, before, "it is another request")

    def test_what_no_request_can_hold_was_not_sent(self):
        device = self._new_device()
        for error in (ValueError("Value out of range"), TypeError("not a string")):
            with (
                patch.object(self.mtd, "create_device", side_effect=error),
                self.assertLogs("odoo.addons.mikrotik_monitoring.models.sync_push", "WARNING"),
            ):
                device._push_ids(device.ids)
            self.assertEqual((device.sync_state, device.sync_sent), ("failed", False))

    def test_deleted_while_it_is_on_its_way(self):
        device = self._new_device()
        push = device._push_begin()
        device.unlink()
        with self.assertRaisesRegex(MissingError, "core-1 was deleted"):
            self.env["mikrotik.device"]._send_noted(self.mtd, push)
        self.assertFalse(self.mtd.devices)

    def test_made_by_another_process_meanwhile(self):
        device = self._new_device()
        push = device._push_begin()
        device._push_ids(device.ids)
        answer, error = device._push_send(self.connection._line(), push, is_noted=True)
        self.assertEqual((answer.id, error, device.sync_sent), (device.mtd_id, None, False))

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
