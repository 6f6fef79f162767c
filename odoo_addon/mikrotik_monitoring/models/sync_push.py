import logging
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta

import odoo
import psycopg2
from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import MissingError

from .sync import PULLED
from .sync_parts import Push, delay_s

_logger = logging.getLogger(__name__)

INLINE_RECORDS = 20
INLINE_S = 3.0
CALL_S = 3
"""How long one push may take."""
_WRITE_TRIES = 5


class MikrotikSync(models.AbstractModel):
    """How what was changed here comes to mtd: after the commit, each record in transactions of its own."""

    _inherit = "mikrotik.sync"

    # -- when --------------------------------------------------------------------

    def _push_after_commit(self):
        """Push once the transaction is committed: shortly, and not so many; the rest is left to `_push_due`."""
        callbacks = self.env.cr.postcommit
        waiting = callbacks.data.setdefault(f"push {self._name}", {})
        if not waiting:
            callbacks.add(lambda: self._push_inline(list(waiting)))
        waiting.update(dict.fromkeys(self.ids))

    @api.model
    def _push_inline(self, ids):
        """Push within a user's request, who has to wait for it."""
        if odoo.evented:
            return
        try:
            self._push_ids(ids[:INLINE_RECORDS], INLINE_S)
        except Exception:
            # The user's change is committed: it stays marked, and `_push_due` comes back to it.
            _logger.exception("what was changed can't be pushed to mtd now")

    @api.model
    def _due(self):
        """Return which rows wait to be sent to mtd, and are due."""
        return [
            ("sync_state", "in", ("pending", "failed")),
            ("sync_next_at", "<=", fields.Datetime.now()),
        ]

    @api.model
    def _push_due(self, limit=50, company=None):
        """Push what waits and is due, of one company or of all. Returns how many were tried."""
        due = [*self._due(), *self._domain_of(company)]
        with self._transaction() as env:
            records = env[self._name].with_context(active_test=False)
            ids = records.search(due, limit=limit, order="sync_next_at").ids
        return self._push_ids(ids)

    @api.model
    def _push_ids(self, ids, budget_s=None):
        """Push records, each in a transaction of its own. Returns how many were tried."""
        started, tried, queue = time.monotonic(), 0, list(ids)
        for record_id in queue:  # grows: where others changed other fields, the second try takes both
            deadline_s = CALL_S
            if budget_s is not None:
                deadline_s = min(CALL_S, round(budget_s - (time.monotonic() - started)))
            if deadline_s < 1:
                break
            outcome = self._push_one(record_id, deadline_s)
            tried += outcome is not None
            if outcome == "ABORTED" and queue.count(record_id) == 1:
                queue.append(record_id)
        return tried

    @api.model
    def _push_one(self, record_id, deadline_s):
        """Push one. Returns the code of its error, empty if there was none, and None if nothing was tried."""
        try:
            self._push_needed(record_id, deadline_s)
            with self._alone(record_id) as is_alone:
                return self._push_alone(record_id, deadline_s) if is_alone else None
        except Exception as stuck:
            # One that can't even be tried may not hold up those behind it.
            _logger.warning("%s %s can't be pushed to mtd", self._name, record_id, exc_info=True)
            with self._transaction() as env:
                env[self._name].browse(record_id).exists()._push_stuck(stuck)
            return "STUCK"

    @api.model
    def _push_alone(self, record_id, deadline_s):
        """Push one that no other process pushes. No transaction is open while mtd is asked."""
        with self._transaction() as env:
            record = env[self._name].browse(record_id).exists()
            push = record and record._push_begin()
            if not push:
                return None
            line, error = record._push_line(deadline_s)
        if line:
            answer, error = self._push_send(line, push, is_noted=True)
            self._note(push, lambda one: one._push_end(push, answer, error))
        else:
            self._note(push, lambda one: one._push_unsent(push, error))
        return "" if error is None else error.code

    @api.model
    def _push_needed(self, record_id, deadline_s):
        """Push what mtd has to have before this one."""
        with self._transaction() as env:
            needed = env[self._name].browse(record_id).exists()._needed_first()
        for needed_id in needed.ids:
            self.env[needed._name]._push_one(needed_id, deadline_s)

    @api.model
    def _note(self, push, keep):
        """Keep something of a push, in a transaction that sees what the user changed meanwhile.

        Returns whether the record is there still.
        """
        for tries_left in reversed(range(_WRITE_TRIES)):
            try:
                with self._transaction() as env:
                    record = env[self._name].browse(push.record_id).exists()
                    if record:
                        keep(record)
                        env.flush_all()
                return bool(record)
            except psycopg2.OperationalError:  # the user wrote at the same moment
                if not tries_left:
                    raise
        return False

    @contextmanager
    def _alone(self, record_id):
        """Keep other processes from pushing a record, without a transaction: one that is open holds up upgrades.

        Gives whether nobody pushes it. The database lets go of it as well if this process dies.
        """
        key = (self._table, record_id)
        with self.env.registry.cursor() as cr:
            cr.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", key)
            [is_alone] = cr.fetchone()
            cr.commit()  # pylint: disable=invalid-commit
            try:
                yield is_alone
            finally:
                if is_alone:
                    cr.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", key)

    @contextmanager
    def _transaction(self):
        """Give an environment of its own, which is committed at the end. The seam at which tests put theirs."""
        with self.env.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, PULLED)

    def _push_now(self):
        """Push in this transaction: for actions that go on with what mtd answers."""
        records = self.with_context(**PULLED).sudo()  # sudo: the callers have checked the right to write
        if needed := records._needed_first():
            needed._push_now()
        for record in records:
            self.env.cr.execute(
                "SELECT pg_try_advisory_xact_lock(hashtext(%s), %s)", (self._table, record.id)
            )
            [is_alone] = self.env.cr.fetchone()
            push = record._push_begin(even_if_away=True) if is_alone else None
            if push is None:
                continue
            line, error = record._push_line(deadline_s=5)
            if line:
                record._push_end(push, *self._push_send(line, push))
            else:
                record._push_unsent(push, error)

    # -- what --------------------------------------------------------------------

    def _push_begin(self, even_if_away=False):
        """Return what mtd has to get; None if nothing can be sent now."""
        self.ensure_one()
        if self.sync_state not in ("pending", "failed"):
            return None
        connection = self.env["mikrotik.connection"]._of_company(self.company_id)
        if not connection._is_set_up() or (connection._is_away() and not even_if_away):
            return None
        again = self._push_again()
        if not again and (why := self._why_not_pushed()):
            self.write(
                {
                    "sync_state": "failed",
                    "sync_error": why,
                    "sync_next_at": fields.Datetime.now() + timedelta(seconds=delay_s(None)),
                }
            )
            return None
        if again:
            return again
        names = set(self.sync_base or {}) if self.mtd_id else self._synced_fields()
        return Push(
            self.id,
            self.name,
            self.mtd_id or "",
            self.mtd_revision,
            self.sync_request_id or str(uuid.uuid4()),
            self.sync_edits,
            self._settings_of(names),
        )

    def _push_line(self, deadline_s):
        """Return the way to mtd and None; or None, and why there is none."""
        from mtd.client import MtdClientError

        try:
            return self.env["mikrotik.connection"]._of_company(self.company_id)._line(deadline_s), None
        except MtdClientError as error:
            return None, error

    @api.model
    def _push_send(self, line, push, is_noted=False):
        """Return mtd's answer and None; or the error, and what mtd has instead where that explains it.

        ``is_noted``: what a new record is sent as is noted first, in a transaction of its own.
        """
        from mtd.client import MtdClientError

        def send(client):
            if not push.mtd_id:
                return self._send_noted(client, push) if is_noted else self._send_new(client, push)
            if push.settings:
                return self._send_change(client, push)
            return self._fetch(client, push.mtd_id)

        try:
            return line.ask(send), None
        except MtdClientError as error:
            return self._push_found(line, push, error), error

    @api.model
    def _send_noted(self, client, push):
        """Send a new record, and note before as what: whoever dies then, the same is sent again."""
        if not push.is_again and not self._note(push, lambda one: one._keep_sent(push)):
            raise MissingError(_("%s was deleted before mtd was sent it.", push.name))
        try:
            return self._send_new(client, push)
        except (TypeError, ValueError):  # no request can hold it: nothing was sent
            if not push.is_again:
                self._note(push, lambda one: one._forget_sent())
            raise

    @api.model
    def _push_found(self, line, push, error):
        """Return what mtd has in place of what was sent, where that explains the error."""
        from mtd.client import MtdClientError

        if error.code != ("ABORTED" if push.mtd_id else "ALREADY_EXISTS"):
            return None
        try:
            return line.ask(lambda client: self._fetch(client, push.mtd_id or push.name))
        except MtdClientError as second:
            _logger.info("mtd doesn't tell what it has as %s: %s", push.name, second)
            return None
