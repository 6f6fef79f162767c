import logging
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta

import odoo
import psycopg2
from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import UserError

from .sync_parts import Push, delay_s

_logger = logging.getLogger(__name__)

INLINE_RECORDS = 20
INLINE_S = 3.0
CALL_S = 3
"""How long one push may take."""
_WRITE_TRIES = 5
PULLED = {"mtd_pulled": True}
_OWNED = frozenset(
    (
        "mtd_id",
        "mtd_revision",
        "sync_state",
        "sync_error",
        "sync_at",
        "sync_attempts",
        "sync_next_at",
        "sync_request_id",
        "sync_edits",
        "sync_base",
        "remote_values",
    )
)


class MikrotikSync(models.AbstractModel):
    """What Odoo edits and mtd owns: pushed after the commit, tried again until mtd has it.

    A record keeps which of its fields were changed here and what mtd had in them before, so that what others
    changed in mtd is neither overwritten nor overlooked.
    """

    _name = "mikrotik.sync"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Record of mtd that is edited in Odoo"

    name = fields.Char(required=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    active = fields.Boolean(default=True, copy=False)
    notes = fields.Text()
    mtd_id = fields.Char(string="ID in mtd", readonly=True, copy=False, index=True)
    mtd_revision = fields.Integer(string="Revision in mtd", readonly=True, copy=False)
    sync_state = fields.Selection(
        [
            ("new", "New"),
            ("pending", "Waiting"),
            ("synced", "Synced"),
            ("conflict", "Conflict"),
            ("missing", "Not in mtd"),
            ("failed", "Refused"),
        ],
        string="Sync",
        required=True,
        default="new",
        readonly=True,
        copy=False,
        index=True,
        help="Waiting: mtd gets it as soon as it answers. Conflict: it was changed in mtd as well. "
        "Not in mtd: somebody removed it there. Refused: mtd says why; correct it and it is sent again.",
    )
    sync_error = fields.Char(readonly=True, copy=False)
    sync_at = fields.Datetime(string="Synced at", readonly=True, copy=False)
    sync_attempts = fields.Integer(readonly=True, copy=False)
    sync_next_at = fields.Datetime(string="Next try at", readonly=True, copy=False, index=True)
    sync_request_id = fields.Char(readonly=True, copy=False)
    sync_edits = fields.Integer(readonly=True, copy=False, help="How often it was changed here.")
    sync_base = fields.Json(
        readonly=True, copy=False, help="What the fields that were changed here held when mtd had them last."
    )
    remote_values = fields.Json(
        string="Values in mtd", readonly=True, copy=False, help="What differs in mtd, in a conflict."
    )
    conflict_text = fields.Text(string="Differences", compute="_compute_conflict_text")
    connection_missing = fields.Boolean(compute="_compute_connection_state")
    bridge_is_late = fields.Boolean(compute="_compute_connection_state")

    # -- what each model says of itself --------------------------------------------

    @api.model
    def _synced_fields(self):
        """Return the fields that mtd gets."""
        raise NotImplementedError

    def _settings_of(self, names):
        """Return fields as arguments for mtd."""
        raise NotImplementedError

    def _values_of(self, remote, known):
        """Return what mtd has as values of these fields; without those that mean nothing here."""
        raise NotImplementedError

    @api.model
    def _send_new(self, client, push):
        raise NotImplementedError

    @api.model
    def _send_change(self, client, push):
        raise NotImplementedError

    @api.model
    def _fetch(self, client, name_or_id):
        raise NotImplementedError

    @api.model
    def _known(self, company):
        """Return what the names in mtd's answers stand for here."""
        return

    def _why_not_pushed(self):
        """Return what is missing before mtd can get the record; empty if nothing is."""
        return ""

    @api.model
    def _take_facts(self, company, remotes):
        """Take over what mtd observed, for those that have something."""

    # -- edits -------------------------------------------------------------------

    @api.depends("company_id")
    def _compute_connection_state(self):
        connections = self.env["mikrotik.connection"]
        for company in self.company_id:
            connection = connections._of_company(company)
            records = self.filtered(lambda record, company=company: record.company_id == company)
            records.connection_missing = not connection._is_set_up()
            records.bridge_is_late = bool(connection) and connection.bridge_is_late
        self.filtered(lambda record: not record.company_id).update(
            {"connection_missing": False, "bridge_is_late": False}
        )

    @api.depends("remote_values")
    def _compute_conflict_text(self):
        for record in self:
            values = (record.remote_values or {}).get("values", {})
            record.conflict_text = "\n".join(
                _(
                    "%(field)s: %(here)s here, %(there)s in mtd",
                    field=record._fields[name].get_description(self.env, ["string"])["string"],
                    here=record._shown(name, record._plain(name)),
                    there=record._shown(name, value),
                )
                for name, value in values.items()
            )

    def _shown(self, name, value):
        """Return a value as people read it."""
        field = self._fields[name]
        if field.type == "many2one":
            return self.env[field.comodel_name].browse(value).display_name if value else _("none")
        if field.type == "selection":
            return dict(field._description_selection(self.env)).get(value, value)
        return value if value not in (False, "") else _("empty")

    def _plain(self, name):
        """Return the value of a field as JSON holds it."""
        value = self[name]
        if self._fields[name].type == "many2one":
            return value.id
        return value or "" if self._fields[name].type in ("char", "text") else value

    @api.model
    def _owned_by_mtd(self):
        """Return the fields that nobody but mtd, and what keeps step with it, writes."""
        return _OWNED

    def _is_pulled(self):
        """Return whether a write comes from mtd. Callers can set a context, but not that they are superuser."""
        return self.env.su and bool(self.env.context.get("mtd_pulled"))

    def _check_owned(self, vals):
        if not self.env.su and (owned := sorted(self._owned_by_mtd() & vals.keys())):
            raise UserError(_("These come from mtd and can't be written: %s.", ", ".join(owned)))

    @api.model_create_multi
    def create(self, vals_list):
        if self._is_pulled():
            return super().create(vals_list)
        for vals in vals_list:
            self._check_owned(vals)
        defaults = {f"default_{name}" for name in self._owned_by_mtd()}
        context = {name: value for name, value in self.env.context.items() if name not in defaults}
        marks = {"sync_state": "pending", "sync_next_at": fields.Datetime.now()}
        records = super(MikrotikSync, self.with_context(context)).create(  # pylint: disable=context-overridden
            [{**vals, **marks, "sync_request_id": str(uuid.uuid4())} for vals in vals_list]
        )
        records._push_after_commit()
        return records

    def write(self, vals):
        changed = self._synced_fields() & vals.keys()
        if self._is_pulled():
            return super().write(vals)
        self._check_owned(vals)
        if not changed:
            return super().write(vals)
        before = [(record, {name: record._plain(name) for name in changed}) for record in self]
        done = super().write(vals)
        for record, base in before:
            record._mark(base)
        self._push_after_commit()
        return done

    def _check_company_stays(self, company_id):
        if any(record.mtd_id and record.company_id.id != company_id for record in self):
            raise UserError(
                _("What mtd knows stays with its company. Archive it here, and add it in the other company.")
            )
        return super()._check_company_stays(company_id)

    def _mark(self, base):
        """Note what was changed here, and that mtd has to get it."""
        really = {name: value for name, value in base.items() if self._plain(name) != value}
        if not really and self.sync_state in ("synced", "conflict", "missing"):
            return
        vals = {"sync_edits": self.sync_edits + 1, "sync_base": {**really, **(self.sync_base or {})}}
        if self.sync_state not in ("conflict", "missing"):
            vals.update(sync_state="pending", sync_attempts=0, sync_next_at=fields.Datetime.now())
            vals["sync_error"] = False
        if not self.mtd_id and not self.sync_sent:
            vals["sync_request_id"] = str(uuid.uuid4())  # another content is another request
        self._pulled(vals)

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
    def _push_due(self, limit=50):
        """Push what waits and is due. Returns how many were tried."""
        due = [
            ("sync_state", "in", ("pending", "failed")),
            ("sync_next_at", "<=", fields.Datetime.now()),
        ]
        # sudo: for the cron job and the bridge; nothing is given to a user.
        records = self.sudo().with_context(active_test=False).search(due, limit=limit, order="sync_next_at")
        return self._push_ids(records.ids)

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
            with self._transaction() as env:
                record = env[self._name].browse(record_id).exists()
                push = record and record._push_begin()
                if not push:
                    return None
                answer, error = record._push_send(push, deadline_s)
                self._push_noted(push, answer, error)
                return "" if error is None else error.code
        except Exception as stuck:
            # One that can't even be tried may not hold up those behind it.
            _logger.warning("%s %s can't be pushed to mtd", self._name, record_id, exc_info=True)
            with self._transaction() as env:
                env[self._name].browse(record_id).exists()._push_stuck(stuck)
            return "STUCK"

    @api.model
    def _push_noted(self, push, answer, error):
        """Keep what came of a push, in a transaction that sees what the user changed meanwhile."""
        for tries_left in reversed(range(_WRITE_TRIES)):
            try:
                with self._transaction() as env:
                    record = env[self._name].browse(push.record_id).exists()
                    if record:
                        record._push_end(push, answer, error)
                        env.flush_all()
                return
            except psycopg2.OperationalError:  # the user wrote at the same moment
                if not tries_left:
                    raise

    @contextmanager
    def _transaction(self):
        """Give an environment of its own, which is committed at the end. The seam at which tests put theirs."""
        with self.env.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, PULLED)

    def _push_now(self):
        """Push in this transaction: for buttons, which wait for what comes of it."""
        for record in self.with_context(**PULLED).sudo():  # sudo: the callers have checked the right to write
            push = record._push_begin(even_if_away=True)
            if push is not None:
                record._push_end(push, *record._push_send(push, 5))

    # -- what --------------------------------------------------------------------

    def _push_begin(self, even_if_away=False):
        """Return what mtd has to get; None if nothing can be sent now, or another process sends it."""
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
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s), %s)", (self._table, self.id))
        if not self.env.cr.fetchone()[0]:
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

    def _push_send(self, push, deadline_s):
        """Return mtd's answer and None; or the error, and what mtd has instead where that explains it."""
        from mtd.client import MtdClientError

        connection = self.env["mikrotik.connection"]._of_company(self.company_id)

        def send(client):
            if not push.mtd_id:
                return self._send_new(client, push)
            if push.settings:
                return self._send_change(client, push)
            return self._fetch(client, push.mtd_id)

        try:
            return connection._call(send, deadline_s), None
        except MtdClientError as error:
            return self._push_found(connection, push, error, deadline_s), error

    @api.model
    def _push_found(self, connection, push, error, deadline_s):
        """Return what mtd has in place of what was sent, where that explains the error."""
        from mtd.client import MtdClientError

        if error.code != ("ABORTED" if push.mtd_id else "ALREADY_EXISTS"):
            return None
        try:
            return connection._call(lambda client: self._fetch(client, push.mtd_id or push.name), deadline_s)
        except MtdClientError as second:
            _logger.info("mtd doesn't tell what it has as %s: %s", push.name, second)
            return None
