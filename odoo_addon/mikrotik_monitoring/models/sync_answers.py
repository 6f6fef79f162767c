import logging
import uuid
from datetime import timedelta

import psycopg2
from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from .sync import PULLED
from .sync_parts import delay_s

_logger = logging.getLogger(__name__)

JUST_PUSHED = timedelta(seconds=60)
"""A list of mtd's that was asked for before a push may lack what was pushed."""

_REFUSED = (ValidationError, UserError, psycopg2.IntegrityError)

_CLEAN = {
    "sync_error": False,
    "sync_attempts": 0,
    "sync_next_at": False,
    "sync_base": False,
    "remote_values": False,
}


class MikrotikSync(models.AbstractModel):
    """What becomes of mtd's answers, and how what others changed there is taken over."""

    _inherit = "mikrotik.sync"

    # -- after a push --------------------------------------------------------------

    def _push_end(self, push, answer, error):
        """Keep what came of a push."""
        self.ensure_one()
        if error is None:
            self._push_done(push, answer)
        elif answer is not None and self._is_of_another(answer):
            answer = None
            self._push_failed(push, error)
        elif answer is not None:
            self._push_met(push, answer)
        else:
            self._push_failed(push, error)
        if answer is not None:
            self._take_facts(self.company_id, [answer])

    def _push_done(self, push, answer):
        vals = {"mtd_id": answer.id, "mtd_revision": answer.revision}
        if self.sync_edits == push.edits:
            self._pulled(vals | self._synced())
            return
        # It was changed while it was on its way: what mtd has now is what the next push builds on.
        there = self._values_of(answer, self._known(self.company_id))
        base = {name: there[name] for name in self.sync_base or {} if name in there}
        self._pulled(vals | {"sync_base": base, "sync_next_at": fields.Datetime.now()})

    def _push_met(self, push, answer):
        """Mtd has something else than we thought: changed by others, or made by others under this name."""
        there = self._values_of(answer, self._known(self.company_id))
        base = self.sync_base or {}
        vals = {"mtd_id": answer.id, "mtd_revision": answer.revision}
        if push.mtd_id and all(there.get(name, value) == value for name, value in base.items()):
            # Others changed other fields: theirs are taken, ours are sent on top of them.
            theirs = {name: value for name, value in there.items() if name not in base}
            self._pulled(vals | theirs | {"sync_next_at": fields.Datetime.now()})
        else:
            self._meet(answer, there)

    def _is_of_another(self, remote):
        """Return whether a record of mtd is another company's already: then nothing of it may come here."""
        # sudo: it is compared with all companies, of which nothing is told.
        others = self.sudo().with_context(active_test=False)
        there = [("company_id", "!=", self.company_id.id), ("mtd_id", "=", remote.id)]
        return bool(others.search_count(there, limit=1))

    def _meet(self, remote, there):
        """Become one with a record of mtd: synced if it holds the same, in conflict if it doesn't."""
        vals = {"mtd_id": remote.id, "mtd_revision": remote.revision}
        differing = {name: value for name, value in there.items() if self._plain(name) != value}
        if not differing:
            self._pulled(vals | self._synced())
            return
        conflict = {
            "sync_state": "conflict",
            "sync_error": _("It was changed in mtd as well."),
            "sync_next_at": False,
            "remote_values": {"revision": remote.revision, "values": differing},
        }
        self._pulled(vals | conflict)

    def _push_failed(self, push, error):
        now = fields.Datetime.now()
        vals = {
            "sync_attempts": self.sync_attempts + 1,
            "sync_error": self.env["mikrotik.connection"]._words(error),
        }
        if error.code == "NOT_FOUND" and push.mtd_id:
            self._pulled(vals | {"sync_state": "missing", "sync_next_at": False})
            return
        if error.is_retryable:
            wait_s = max(delay_s(self.sync_attempts), error.retry_after_s)
            vals["sync_state"] = "pending"
        else:
            wait_s = delay_s(None)
            vals["sync_state"] = "failed"
            if not self.mtd_id:
                vals["sync_request_id"] = str(uuid.uuid4())
        self._pulled(vals | {"sync_next_at": now + timedelta(seconds=wait_s)})

    def _push_stuck(self, error):
        """Say what kept it from being sent at all."""
        next_at = fields.Datetime.now() + timedelta(seconds=delay_s(None))
        self._pulled({"sync_state": "failed", "sync_error": str(error), "sync_next_at": next_at})

    def _synced(self):
        return {"sync_state": "synced", "sync_at": fields.Datetime.now(), **_CLEAN}

    def _pulled(self, vals):
        """Write what comes from mtd, or keeps step with it: it isn't sent back."""
        # sudo: users can't write these; what made them may.
        self.sudo().with_context(**PULLED).write(vals)

    # -- reconciliation ------------------------------------------------------------

    @api.model
    def _take(self, company, remotes):
        """Bring the records of a company in line with all that mtd has.

        Nothing is removed, and nothing that was changed here is overwritten. Returns a line for each that
        couldn't be taken over.
        """
        here = self.with_context(active_test=False, **PULLED).search([("company_id", "=", company.id)])
        known = self._known(company)
        ids = {remote.id for remote in remotes}
        by_id = {record.mtd_id: record for record in here if record.mtd_id}
        by_name = {record.name: record for record in here if record.mtd_id not in ids}
        self._free_names(by_id, remotes)
        problems, new, sent = [], [], here._names_sent()
        for remote in remotes:
            if remote.id not in by_id and remote.name in sent:
                continue  # it is probably the one that was sent: the next push tells
            record = by_id.get(remote.id) or by_name.get(remote.name)
            if record and record._is_news(remote):
                problems += record._guarded(remote.name, lambda r=record, m=remote: r._take_one(m, known))
            elif not record:
                new.append(remote)
        problems += self._take_new(company, new, known)
        self._mark_missing(here, ids)
        return problems

    def _guarded(self, name, work):
        """Do something for one record; what is refused says so, and keeps none of the others."""
        try:
            with self.env.cr.savepoint():
                work()
                self.env.flush_all()
        except _REFUSED as error:
            _logger.warning("%s of mtd can't be taken over: %s", name, error)
            return [f"{name}: {error}"]
        return []

    @api.model
    def _free_names(self, by_id, remotes):
        """Let go of names that change hands: a name is unique, and two may have swapped theirs."""
        renamed = {
            remote.id: remote.name
            for remote in remotes
            if (record := by_id.get(remote.id))
            and record.sync_state in ("synced", "missing")
            and record.name != remote.name
        }
        wanted = set(renamed.values())
        for mtd_id in renamed:
            record = by_id[mtd_id]
            if record.name in wanted and record._hold() and record.sync_state in ("synced", "missing"):
                record.write({"name": mtd_id, "mtd_revision": 0})
        self.env.flush_all()

    def _is_news(self, remote):
        """Return whether mtd has something that isn't here, and may be taken over."""
        if self.mtd_id != remote.id or self.sync_state == "missing":
            return True
        if self.sync_state == "conflict":
            return remote.revision != (self.remote_values or {}).get("revision")
        return self.sync_state == "synced" and remote.revision > self.mtd_revision

    def _hold(self):
        """Keep others from writing these rows until this transaction ends. Returns those that are there still.

        Rows that point to these may come: events of a device don't wait.

        What others committed since they were read is seen from here on: the bridge's transactions are READ
        COMMITTED, and in others the database refuses it.
        """
        if not self:
            return self
        self.flush_recordset()
        query = SQL(
            "SELECT id FROM %s WHERE id IN %s ORDER BY id FOR NO KEY UPDATE",
            SQL.identifier(self._table),
            self._ids,
        )
        self.env.cr.execute(query)
        self.invalidate_recordset()
        return self.browse(row[0] for row in self.env.cr.fetchall())

    def _is_meant(self, remote):
        """Return whether this is the record of something in mtd: by its id, or by its name as long as it has none."""
        return self.mtd_id == remote.id or self.name == remote.name

    def _take_one(self, remote, known):
        """Take over what mtd has of this record, unless a user's change came first."""
        if not self._hold() or not self._is_meant(remote) or not self._is_news(remote):
            return
        there = self._values_of(remote, known)
        if self.mtd_id != remote.id or self.sync_state == "conflict":
            self._meet(remote, there)
            return
        changed = {name: value for name, value in there.items() if self._plain(name) != value}
        self._pulled(changed | {"mtd_revision": remote.revision} | self._synced())

    @api.model
    def _take_new(self, company, remotes, known):
        """Take over what isn't here yet: all at once, and one by one if one of them is refused."""

        def vals_of(remote):
            vals = {"company_id": company.id, "mtd_id": remote.id, "mtd_revision": remote.revision}
            return self._values_of(remote, known) | vals | self._synced()

        records = self.with_context(**PULLED)
        try:
            with self.env.cr.savepoint():
                records.create([vals_of(remote) for remote in remotes])
                self.env.flush_all()
            return []
        except _REFUSED:
            problems = []
            for remote in remotes:
                problems += self._guarded(remote.name, lambda m=remote: records.create(vals_of(m)))
            return problems

    @api.model
    def _mark_missing(self, here, ids):
        """Say of those that mtd has no more that it hasn't, unless a push made them only just."""
        recent = fields.Datetime.now() - JUST_PUSHED

        def is_gone(record):
            known = record.mtd_id and record.mtd_id not in ids and record.sync_state != "missing"
            return known and not (record.sync_at and record.sync_at > recent)

        if gone := here.filtered(is_gone)._hold().filtered(is_gone):
            gone._pulled(
                {
                    "sync_state": "missing",
                    "sync_error": _("It isn't in mtd any more: somebody removed it there."),
                    "sync_next_at": False,
                }
            )

    # -- buttons -----------------------------------------------------------------

    def _check_may_write(self):
        self.check_access_rights("write")
        self.check_access_rule("write")

    def action_open_connection(self):
        """Show the connection of the company, or a new one."""
        company = self.company_id[:1] or self.env.company
        return self.env["mikrotik.connection"].with_company(company).action_open_connection()

    def action_push(self):
        """Try now what waits: as soon as this is committed, and before the user is answered."""
        self._check_may_write()
        for company in self.company_id:
            self.env["mikrotik.connection"]._of_company(company)._expect_answers()
        waiting = self.filtered(lambda one: one.sync_state in ("pending", "failed"))
        waiting._pulled({"sync_next_at": fields.Datetime.now()})
        waiting._push_after_commit()
        return True

    def action_keep_odoo(self):
        """Settle a conflict: mtd gets what is here."""
        self._check_may_write()
        for record in self.filtered(lambda one: one.sync_state == "conflict"):
            values = (record.remote_values or {}).get("values", {})
            record._pulled(
                {
                    "sync_state": "pending",
                    "sync_base": {**(record.sync_base or {}), **values},
                    "sync_edits": record.sync_edits + 1,
                    "sync_next_at": fields.Datetime.now(),
                    "sync_error": False,
                    "remote_values": False,
                }
            )
        return self.action_push()

    def action_take_mtd(self):
        """Settle a conflict: take over what mtd has."""
        self._check_may_write()
        for record in self.filtered(lambda one: one.sync_state == "conflict"):
            values = (record.remote_values or {}).get("values", {})
            record._pulled({**(record.sync_base or {}), **values, **record._synced()})
        return True

    def action_create_again(self):
        """Bring back to mtd what was removed there."""
        self._check_may_write()
        for record in self.filtered(lambda one: one.sync_state == "missing"):
            record._pulled(
                {
                    "mtd_id": False,
                    "mtd_revision": 0,
                    "sync_state": "pending",
                    "sync_request_id": str(uuid.uuid4()),
                    "sync_next_at": fields.Datetime.now(),
                    "sync_error": False,
                    "sync_base": False,
                }
            )
        return self.action_push()

    def action_archive_missing(self):
        """Archive what was removed in mtd, without bringing it back there."""
        self._check_may_write()
        self.filtered(lambda one: one.sync_state == "missing")._pulled({"active": False})
        return True
