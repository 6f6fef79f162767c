from contextlib import closing
from datetime import UTC
from types import SimpleNamespace
from unittest.mock import patch

from odoo import fields
from odoo.sql_db import db_connect
from odoo.tests.common import tagged

from ..bridge import odoo_store
from .common import CommittedCase
from .test_viewing import StoreCase


@tagged("post_install", "-at_install")
class TestBridgeStore(StoreCase):
    def _waiting(self):
        """Return a device of each company that waits to be pushed."""
        device = self.device
        other = device.sudo().create(
            {
                "name": "edge-1",
                "host": "192.0.2.9",
                "company_id": self.other_company.id,
                "credential_set_id": self.env["mikrotik.credential.set"]
                .sudo()
                .create(
                    {
                        "name": "noc",
                        "username": "monitor",
                        "password": "p",
                        "company_id": self.other_company.id,
                    }
                )
                .id,
            }
        )
        due = {"sync_state": "pending", "sync_next_at": fields.Datetime.now(), "sync_base": {"host": "h"}}
        (device | other)._pulled(due)
        return device, other

    def test_pushes_are_those_of_one_company(self):
        device, other = self._waiting()
        with self._store() as store:
            self.assertCountEqual(store.waiting(), (self.connection | self.other_connection).ids)
            store.push_due(self.connection.id)
            self.assertEqual((device.sync_state, other.sync_state), ("synced", "pending"))
            self.assertEqual(store.waiting(), self.other_connection.ids)
            store.push_due(self.other_connection.id)
            self.assertEqual((device.sync_state, other.sync_state), ("synced", "synced"))
            self.assertEqual(store.waiting(), [])

    def test_removals_are_those_of_one_company(self):
        removals = self.env["mikrotik.device.removal"].create(
            [
                {"name": "x", "mtd_id": "gone", "company_id": company.id}
                for company in (self.other_company, self.company)
            ]
        )
        with self._store() as store:
            self.assertCountEqual(store.waiting(), (self.connection | self.other_connection).ids)
            store.push_due(self.connection.id)
            self.assertEqual(store.waiting(), self.other_connection.ids)
        self.assertEqual(removals.mapped("state"), ["pending", "done"])

    def test_the_job_pushes_for_all(self):
        device, other = self._waiting()
        self.env["mikrotik.connection"]._cron_push()
        self.assertEqual((device.sync_state, other.sync_state), ("synced", "synced"))

    def test_what_is_kept_of_a_huge_event_can_be_written(self):
        from mtd.client.values import Event, Evidence

        from ..bridge.bounds import MOST_MESSAGE, event_within

        # No index takes so much, and no text of PostgreSQL holds the last character.
        huge = "".join(map(chr, range(0x10000, 0x20000))) + "\0"
        names = (
            "device_id",
            "device_name",
            "event_type",
            "entity_type",
            "entity_id",
            "entity_label",
            "field",
        )
        texts = dict.fromkeys((*names, "old_value", "new_value", "message"), huge)
        now = fields.Datetime.now().replace(tzinfo=UTC)
        evidence = Evidence("poll", now, 0.0, "", 1, 0, f"\0{huge}")
        event = Event(position=1, collected_at=now, severity="info", evidences=[evidence], **texts)
        with self._store() as store:
            self.assertEqual(store.take_events(self.connection.id, [event_within(event)], 0), 1)
        kept = self.env["mikrotik.event"].search([("connection_id", "=", self.connection.id)])
        self.assertEqual(kept.message, huge[: MOST_MESSAGE - 1] + "…")

    def test_only_the_writer_writes(self):
        from ..bridge.odoo_store import NotTheWriter
        from ..bridge.writer import LOCK_KEY

        self.env.cr.execute("SELECT pg_backend_pid()")
        (backend,) = self.env.cr.fetchone()
        connection = self.connection.id
        with self._store() as store:
            store.writer = SimpleNamespace(backend=backend)
            writes = (
                lambda: store.publish([]),
                lambda: store.heartbeat([connection]),
                lambda: store.take_facts(connection, []),
                lambda: store.take_events(connection, [], 0),
                lambda: store.push_due(connection),
                lambda: store.reconcile(connection),
                lambda: store.claim_jobs(1),
                store.fail_orphans,
                store.purge,
            )
            for write in writes:
                with self.assertRaises(NotTheWriter):
                    write()
            self.assertFalse(self.connection.bridge_seen_at)
            self.env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
            store.heartbeat([connection])
            self.connection.invalidate_recordset()
            self.assertTrue(self.connection.bridge_seen_at)
            store.writer = SimpleNamespace(backend=None)  # the lock's session has ended
            with self.assertRaises(NotTheWriter):
                store.heartbeat([connection])


@tagged("post_install", "-at_install")
class TestHeartbeat(CommittedCase):
    def test_a_row_that_somebody_holds_is_left_for_the_next_time(self):
        store = odoo_store.OdooStore(self.env.cr.dbname)
        with self._committed() as env:
            connection = env["mikrotik.connection"].search([], order="id desc", limit=1).id

        def seen():
            with self._committed() as env:
                return env["mikrotik.connection"].browse(connection).bridge_seen_at

        with closing(db_connect(self.env.cr.dbname).cursor()) as somebody:
            somebody.execute("SELECT 1 FROM mikrotik_connection WHERE id = %s FOR UPDATE", [connection])
            with patch.object(odoo_store, "STATEMENT_S", 1):
                store.heartbeat([connection])
            self.assertFalse(seen())
        store.heartbeat([connection])
        self.assertTrue(seen())
