import dataclasses
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import odoo
from odoo import fields
from odoo.exceptions import UserError
from odoo.tests.common import tagged

from ..models import sync_push
from ..models.sync_parts import MOST_DELAY_S, delay_s
from .common import MtdCase, device_of, failure


@tagged("post_install", "-at_install")
class TestDeviceSync(MtdCase):
    def _push(self, device):
        device._push_ids(device.ids)
        return device.sync_state

    def _change_in_mtd(self, device, **settings):
        self.mtd.update_device(device.mtd_id, **settings)
        self.mtd.calls.clear()

    def test_create_is_marked_and_pushed(self):
        device = self._new_device(port=8728, notes="rack 3")
        self.assertEqual(device.sync_state, "pending")
        self.assertFalse(self.mtd.devices, "nothing before the commit")
        self.assertEqual(self._push(device), "synced")
        there = self.mtd.devices[device.mtd_id]
        self.assertEqual((there.name, there.host, there.notes), ("core-1", "192.0.2.1", "rack 3"))
        self.assertEqual((there.readonly_credentials, there.enabled, there.ways), ("noc", True, []))
        self.assertEqual((device.mtd_revision, device.status, device.routeros_version), (1, "up", "7.16.2"))

    def test_write_pushes_what_changed_alone(self):
        device = self._device()
        device.write({"notes": "new", "host": "192.0.2.1"})
        self.assertEqual((device.sync_state, device.sync_base), ("pending", {"notes": ""}))
        self.assertEqual(self._push(device), "synced")
        self.assertEqual(self.mtd.called("update_device"), [{"notes": "new"}])
        self.assertFalse(device.sync_base)

    def test_write_of_the_same_is_nothing_to_push(self):
        device = self._device()
        device.write({"host": device.host, "notes": ""})
        self.assertEqual(device.sync_state, "synced")

    def test_settings(self):
        device = self._device()
        device.write({"tls_mode": "insecure", "method": "api"})
        self._push(device)
        there = self.mtd.devices[device.mtd_id]
        self.assertEqual((there.port, there.ways, there.tls_mode), (8729, ["api"], "insecure"))
        self.assertEqual(device.port, 0, "the default port stays one")

    def test_archived_is_not_polled(self):
        device = self._device()
        device.active = False
        self._push(device)
        self.assertFalse(self.mtd.devices[device.mtd_id].enabled)
        device.active = True
        self._push(device)
        self.assertTrue(self.mtd.devices[device.mtd_id].enabled)

    def test_site_is_made_first(self):
        site = self.env["mikrotik.site"].create({"name": "graz", "address": "Schlossberg 1"})
        device = self._device(site_id=site.id)
        self.assertEqual((site.sync_state, self.mtd.sites[site.mtd_id].address), ("synced", "Schlossberg 1"))
        self.assertEqual(self.mtd.devices[device.mtd_id].site, "graz")

    def test_without_credentials_it_is_not_sent(self):
        device = self._new_device(credential_set_id=False)
        self.assertEqual(self._push(device), "failed")
        self.assertIn("credentials", device.sync_error)
        self.assertFalse(self.mtd.devices)

    def test_mtd_away_is_tried_again(self):
        device = self._new_device()
        self.mtd.error = failure("UNAVAILABLE", "can't reach mtd")
        self.assertEqual(self._push(device), "pending")
        self.assertIn("can't reach mtd", device.sync_error)
        self.assertGreater(device.sync_next_at, fields.Datetime.now())
        self.assertEqual(device._push_due(), 0, "it isn't due")
        self.mtd.error = None
        self.connection._test()  # it answers again
        device._pulled({"sync_next_at": fields.Datetime.now()})
        self.assertEqual((device._push_due(), device.sync_state, device.sync_error), (1, "synced", False))

    def test_waits_get_longer(self):
        self.assertEqual([delay_s(n) for n in (0, 1, 2)], [5, 10, 20])
        self.assertEqual(delay_s(1000), MOST_DELAY_S)

    def test_nothing_is_tried_while_mtd_is_away(self):
        devices = self._new_device() | self._new_device(name="core-2")
        self.mtd.error = failure("UNAVAILABLE")
        self.mtd.calls.clear()
        devices._push_ids(devices.ids)
        self.assertEqual(len(self.mtd.calls), 1)

    def test_try_now_tries_even_if_mtd_was_away_a_moment_ago(self):
        device = self._new_device()
        self.mtd.error = failure("UNAVAILABLE", "can't reach mtd")
        self._push(device)
        self.mtd.error = None
        self.assertTrue(self.connection._is_away())
        device.action_push()
        self.assertFalse(self.mtd.devices, "nothing before the commit")
        self.assertLessEqual(device.sync_next_at, fields.Datetime.now(), "the bridge may come first")
        self.env.cr.postcommit.run()
        self.assertEqual((device.sync_state, self.connection._is_away()), ("synced", False))

    def test_refused_says_why_and_is_sent_again_after_a_change(self):
        device = self._new_device()
        self.mtd.error = failure("INVALID_ARGUMENT", "host isn't allowed", "use another")
        self.assertEqual(self._push(device), "failed")
        self.assertIn("host isn't allowed", device.sync_error)
        self.mtd.error = None
        device.host = "192.0.2.9"
        self.assertEqual((device.sync_state, device.sync_error), ("pending", False))
        self.assertEqual(self._push(device), "synced")

    def test_answer_that_was_lost_makes_no_second_device(self):
        device = self._new_device()
        self.mtd.create_device(
            request_id=device.sync_request_id, **device._settings_of(device._synced_fields())
        )
        self.assertEqual(self._push(device), "synced")
        self.assertEqual(len(self.mtd.devices), 1)

    def test_device_that_mtd_has_already_is_linked(self):
        same = device_of(readonly_credentials="noc")
        self.mtd.devices[same.id] = same
        device = self._new_device()
        self.assertEqual((self._push(device), device.mtd_id), ("synced", same.id))

    def test_device_that_mtd_has_otherwise_is_a_conflict(self):
        other = device_of(readonly_credentials="noc", host="198.51.100.1")
        self.mtd.devices[other.id] = other
        device = self._new_device()
        self.assertEqual((self._push(device), device.mtd_id), ("conflict", other.id))
        self.assertEqual(device.conflict_text, "Host: 192.0.2.1 here, 198.51.100.1 in mtd")

    def test_others_changed_something_else(self):
        device = self._device()
        self._change_in_mtd(device, notes="theirs")
        device.connect_timeout_s = 3
        self.assertEqual(self._push(device), "synced")
        there = self.mtd.devices[device.mtd_id]
        self.assertEqual((there.notes, there.connect_timeout_s), ("theirs", 3.0))
        self.assertEqual(device.notes, "theirs")

    def _conflict(self):
        device = self._device()
        self._change_in_mtd(device, notes="theirs")
        device.write({"notes": "ours", "connect_timeout_s": 3})
        self.assertEqual(self._push(device), "conflict")
        self.assertEqual(self.mtd.devices[device.mtd_id].notes, "theirs", "nothing is overwritten")
        self.assertEqual(device.remote_values["values"], {"notes": "theirs", "connect_timeout_s": 0.0})
        return device

    def test_conflict_keep_odoo(self):
        device = self._conflict()
        device.action_keep_odoo()
        self.env.cr.postcommit.run()
        there = self.mtd.devices[device.mtd_id]
        self.assertEqual((device.sync_state, there.notes, there.connect_timeout_s), ("synced", "ours", 3.0))

    def test_conflict_take_mtd(self):
        device = self._conflict()
        device.write({"host": "192.0.2.99"})
        self.assertEqual(device.sync_state, "conflict")
        device.action_take_mtd()
        self.assertEqual((device.sync_state, device.notes, device.host), ("synced", "theirs", "192.0.2.1"))
        self.assertFalse(device.sync_base)

    def test_change_while_it_is_on_its_way(self):
        device = self._device()
        device.notes = "first"
        push = device._push_begin()
        device.notes = "second"
        device._push_end(push, *device._push_send(self.connection._line(), push))
        self.assertEqual((device.sync_state, device.sync_base), ("pending", {"notes": "first"}))
        self.assertEqual(self._push(device), "synced")
        self.assertEqual(self.mtd.devices[device.mtd_id].notes, "second")

    def test_removed_in_mtd_is_missing(self):
        device = self._device()
        del self.mtd.devices[device.mtd_id]
        device.notes = "new"
        self.assertEqual(self._push(device), "missing")
        device.action_create_again()
        self.env.cr.postcommit.run()
        self.assertEqual((device.sync_state, self.mtd.devices[device.mtd_id].notes), ("synced", "new"))

    def test_archive_missing(self):
        device = self._device()
        device._pulled({"sync_state": "missing"})
        device.action_archive_missing()
        self.assertEqual((device.active, device.sync_state), (False, "missing"))
        device.unlink()

    def test_pulled_values_are_not_pushed_back(self):
        device = self._device()
        device._pulled({"notes": "from mtd"})
        self.assertEqual(device.sync_state, "synced")

    def test_after_the_commit_so_many_alone(self):
        ids = (
            self.env["mikrotik.device"]
            .create(
                [
                    {"name": f"d{number}", "host": "h", "credential_set_id": self._set(name=f"s{number}").id}
                    for number in range(sync_push.INLINE_RECORDS + 2)
                ]
            )
            .ids
        )
        self.env["mikrotik.device"]._push_inline(ids)
        self.assertEqual(len(self.mtd.devices), sync_push.INLINE_RECORDS)

    def test_after_the_commit_so_long_alone(self):
        now = [0.0]
        devices = self._new_device() | self._new_device(name="core-2") | self._new_device(name="core-3")
        with patch.object(sync_push.time, "monotonic", lambda: now[0]):
            create = self.mtd.create_device

            def slow(**settings):
                now[0] += 2.6
                return create(**settings)

            self.mtd.create_device = slow
            devices._push_inline(devices.ids)
        self.assertEqual(devices.mapped("sync_state"), ["synced", "pending", "pending"])

    def test_push_is_registered_once_for_a_transaction(self):
        self.env.cr.postcommit.clear()
        devices = self._new_device() | self._new_device(name="core-2")
        devices[1].notes = "x"
        with patch.object(sync_push.MikrotikSync, "_push_inline") as push:
            self.env.cr.postcommit.run()
        push.assert_called_once_with(devices.ids)

    def test_never_from_the_process_of_the_websockets(self):
        device = self._new_device()
        with patch.object(odoo, "evented", True):
            device._push_inline(device.ids)
        self.assertEqual(device.sync_state, "pending")

    def test_an_error_after_the_commit_is_logged_and_the_change_stays(self):
        device = self._new_device()
        with (
            patch.object(sync_push.MikrotikSync, "_push_ids", side_effect=ValueError("boom")),
            self.assertLogs("odoo.addons.mikrotik_monitoring.models.sync_push", "ERROR"),
        ):
            device._push_inline(device.ids)
        self.assertEqual(device.sync_state, "pending")

    def test_one_that_cannot_be_tried_holds_up_nobody(self):
        bad, good = self._new_device(), self._new_device(name="core-2")
        send = type(bad)._push_send

        def failing(record, line, push, **kwargs):
            if push.record_id == bad.id:
                raise ValueError("a defect of ours")
            return send(record, line, push, **kwargs)

        with (
            patch.object(type(bad), "_push_send", failing),
            self.assertLogs("odoo.addons.mikrotik_monitoring.models.sync_push", "WARNING"),
        ):
            self.assertEqual(self.env["mikrotik.device"]._push_ids((bad | good).ids), 2)
        self.assertEqual((bad.sync_state, bad.sync_error), ("failed", "a defect of ours"))
        self.assertEqual(good.sync_state, "synced")

    def test_connection_that_is_not_complete_says_so(self):
        device = self._new_device()
        self.connection.tls = "ca"
        with self.assertLogs("odoo.addons.mikrotik_monitoring.models.sync_push", "WARNING"):
            self.assertEqual(self._push(device), "failed")
        self.assertIn("CA certificate", device.sync_error)
        self.assertFalse(self.connection._reconcile())
        self.assertIn("CA certificate", self.connection.last_error)

    def test_another_process_that_pushes_it_is_left_alone(self):
        device = self._new_device()
        self.env.flush_all()
        with self.registry.cursor() as cr:
            cr.execute("SELECT pg_advisory_xact_lock(hashtext('mikrotik_device'), %s)", (device.id,))
            device._push_now()
        self.assertEqual((device.sync_state, self.mtd.devices), ("pending", {}))
        device._push_now()
        self.assertEqual(device.sync_state, "synced")

    def test_deleting_needs_an_archived_device(self):
        device = self._device()
        with self.assertRaisesRegex(UserError, "Archive"):
            device.unlink()
        self._new_device(name="never-pushed").unlink()
        self.assertFalse(self.env["mikrotik.device.removal"].search([]))

    def test_deleted_device_leaves_mtd(self):
        device = self._device()
        mtd_id = device.mtd_id
        device.active = False
        device.unlink()
        removal = self.env["mikrotik.device.removal"].search([("mtd_id", "=", mtd_id)])
        self.assertEqual((removal.state, mtd_id in self.mtd.devices), ("pending", True))
        self.mtd.error = failure("UNAVAILABLE")
        removal.action_push()
        self.assertEqual((removal.state, removal.attempts), ("pending", 1))
        self.mtd.error = None
        self.connection._test()
        removal.action_push()
        self.assertEqual((removal.state, mtd_id in self.mtd.devices), ("done", False))

    def test_removed_while_a_list_of_mtd_is_on_its_way(self):
        device = self._device()
        there = list(self.mtd.devices.values())
        mtd_id = device.mtd_id
        device.active = False
        device._push_ids(device.ids)
        device.unlink()
        self.env["mikrotik.device.removal"].search([("mtd_id", "=", mtd_id)]).action_push()
        self.assertNotIn(mtd_id, self.mtd.devices)
        self.env["mikrotik.device"]._take_devices(self.env.company, there)
        self.assertFalse(self.env["mikrotik.device"].search([("mtd_id", "=", mtd_id)]))

    def test_removal_of_what_is_gone_is_done(self):
        self.connection._test()
        removal = self.env["mikrotik.device.removal"].create(
            {"name": "x", "mtd_id": "gone", "company_id": self.company.id}
        )
        self.env["mikrotik.device"]._push_due()
        self.assertEqual(removal.state, "done")

    def test_old_removals_are_forgotten(self):
        removal = self.env["mikrotik.device.removal"].create(
            {"name": "x", "mtd_id": "gone", "company_id": self.company.id, "state": "done"}
        )
        self.env.flush_all()
        before = fields.Datetime.now() - timedelta(days=31)
        self.env.cr.execute("UPDATE mikrotik_device_removal SET write_date = %s", (before,))
        removal._gc_done()
        self.assertFalse(removal.exists())

    def test_facts_write_what_changed_alone(self):
        device = self._device()
        remote = self.mtd.devices[device.mtd_id]
        with patch.object(type(device), "write", autospec=True, side_effect=type(device).write) as write:
            device._take_facts(device.company_id, [remote])
            self.assertFalse(write.called)
            device._take_facts(
                device.company_id, [dataclasses.replace(remote, status="down", status_reason="refused")]
            )
        self.assertEqual(
            (device.status, device.status_reason, device.sync_state), ("down", "refused", "synced")
        )
        self.assertFalse(device.status_since, "no event told since when")

    def test_facts_are_those_of_the_own_company(self):
        device = self._device()
        theirs = self.env["mikrotik.device"].with_context(mtd_pulled=True)
        theirs = theirs.create(
            {"name": "x", "host": "h", "company_id": self.other_company.id, "mtd_id": device.mtd_id}
        )
        remote = dataclasses.replace(
            self.mtd.devices[device.mtd_id], status="down", capabilities={"evil": "1"}
        )
        device._take_facts(self.company, [remote])
        self.assertEqual((device.status, theirs.status), ("down", "unknown"))
        self.assertFalse(theirs.capability_ids)
        device._pulled({"status": "up"})
        device.action_poll_now()
        self.connection._reconcile()
        self.assertEqual((theirs.status, theirs.capability_ids.ids), ("unknown", []))

    def test_since_is_what_an_event_told(self):
        from mtd.client import Event

        device = self._device()
        began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        told = ("device.refused", "critical", "device", "", "", "status", "up", "down", "refused")
        self.connection._take_events([Event(7, began, device.mtd_id, device.name, *told)])
        device._take_facts(
            device.company_id, [dataclasses.replace(self.mtd.devices[device.mtd_id], status="down")]
        )
        self.assertEqual(device.status_since, began.replace(tzinfo=None))
        device._take_facts(device.company_id, [self.mtd.devices[device.mtd_id]])
        self.assertFalse(device.status_since, "the event told of another status")
