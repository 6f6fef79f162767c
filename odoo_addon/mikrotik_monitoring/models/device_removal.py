import logging
import time
from datetime import timedelta

import odoo
import psycopg2
from odoo import api, fields, models
from odoo.exceptions import UserError

from .sync_answers import JUST_PUSHED
from .sync_parts import delay_s

_logger = logging.getLogger(__name__)

INLINE_RECORDS = 20
INLINE_S = 3.0
_KEPT_DAYS = 30


class MikrotikDeviceRemoval(models.Model):
    """A device that was deleted here and has to go from mtd too. Kept for a month as a record of it."""

    _name = "mikrotik.device.removal"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Device to be removed from mtd"
    _order = "id desc"

    name = fields.Char(required=True, readonly=True)
    mtd_id = fields.Char(string="ID in mtd", required=True, readonly=True, index=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    state = fields.Selection(
        [("pending", "Waiting"), ("done", "Removed"), ("failed", "Refused")],
        required=True,
        default="pending",
        readonly=True,
    )
    error = fields.Char(readonly=True)
    attempts = fields.Integer(readonly=True)
    next_at = fields.Datetime(string="Next try at", readonly=True, default=fields.Datetime.now)

    @api.model
    def _remember(self, devices):
        """Note devices that are about to be deleted, and tell mtd after the commit."""
        # sudo: nobody writes these by hand.
        removals = self.sudo().create(
            [
                {"name": device.name, "mtd_id": device.mtd_id, "company_id": device.company_id.id}
                for device in devices
                if device.mtd_id
            ]
        )
        if removals:
            ids = removals.ids
            self.env.cr.postcommit.add(lambda: self._push_inline(ids))

    @api.model
    def _waiting(self, company):
        """Return the ids in mtd of devices that are to be removed from it, or only just were.

        A list of mtd's that was asked for before may have these still.
        """
        recent = ("write_date", ">", fields.Datetime.now() - JUST_PUSHED)
        domain = [("company_id", "=", company.id), "|", ("state", "!=", "done"), recent]
        # sudo: for reconciliation.
        return set(self.sudo().search(domain).mapped("mtd_id"))

    @api.model
    def _push_inline(self, ids):
        """Remove within a user's request, who has to wait for it."""
        if odoo.evented:
            return
        started = time.monotonic()
        try:
            for removal_id in ids[:INLINE_RECORDS]:
                left_s = round(INLINE_S - (time.monotonic() - started))
                if left_s < 1:
                    break
                self._push_one(removal_id, left_s)
        except Exception:
            # The user's deletion is committed: what is left is done by `_push_due`.
            _logger.exception("devices can't be removed from mtd now")

    @api.model
    def _due(self):
        """Return which removals wait, and are due."""
        return [("state", "!=", "done"), ("next_at", "<=", fields.Datetime.now())]

    @api.model
    def _push_due(self, limit=50, company=None):
        """Remove from mtd what waits and is due, of one company or of all. Returns how many were tried."""
        domain = [*self._due(), *self._domain_of(company)]
        with self._transaction() as env:
            ids = env[self._name].search(domain, limit=limit, order="next_at").ids
        return sum(self._push_one(removal_id) for removal_id in ids)

    @api.model
    def _transaction(self):
        """Give an environment of its own, as pushes have it."""
        return self.env["mikrotik.device"]._transaction()

    @api.model
    def _push_one(self, removal_id, deadline_s=3):
        """Remove one from mtd, with no transaction open meanwhile. Returns whether it was tried."""
        from mtd.client import MtdClientError

        with self._transaction() as env:
            removal = env[self._name].browse(removal_id).exists()
            connection = env["mikrotik.connection"]._of_company(removal.company_id)
            if removal.state in (False, "done") or not connection._is_set_up() or connection._is_away():
                return False
            mtd_id, line, error = removal.mtd_id, None, None
            try:
                line = connection._line(deadline_s)
            except (MtdClientError, UserError) as found:
                error = found
        if line:
            try:
                line.ask(lambda client: client.delete_device(mtd_id))
            except MtdClientError as found:
                error = found
        try:
            with self._transaction() as env:
                env[self._name].browse(removal_id).exists()._push_end(error)
        except psycopg2.OperationalError:  # another process was as quick, and has kept the same
            _logger.info("what came of removing device %s is kept by another process", mtd_id, exc_info=True)
        return True

    def _push_end(self, error):
        """Keep what came of it."""
        for removal in self:
            if error is None or getattr(error, "code", "") == "NOT_FOUND":
                removal.write({"state": "done", "error": False, "next_at": False})
            else:
                removal.write(removal._failed(error))

    def _failed(self, error):
        if isinstance(error, UserError):  # the connection isn't complete
            next_at = fields.Datetime.now() + timedelta(seconds=delay_s(None))
            return {"state": "failed", "error": str(error), "next_at": next_at}
        wait_s = delay_s(self.attempts if error.is_retryable else None)
        return {
            "state": "pending" if error.is_retryable else "failed",
            "error": self.env["mikrotik.connection"]._words(error),
            "attempts": self.attempts + 1,
            "next_at": fields.Datetime.now() + timedelta(seconds=wait_s),
        }

    def action_push(self):
        """Try now."""
        self.env["mikrotik.device"].check_access_rights("unlink")
        self.check_access_rights("read")
        self.check_access_rule("read")
        # sudo: nobody writes these by hand; who may delete devices may see to it that it is done.
        for removal_id in self.sudo().filtered(lambda one: one.state != "done").ids:
            self._push_one(removal_id)
        return True

    @api.autovacuum
    def _gc_done(self):
        before = fields.Datetime.now() - timedelta(days=_KEPT_DAYS)
        # sudo: a job of the server, over all companies.
        self.sudo().search([("state", "=", "done"), ("write_date", "<", before)], limit=1000).unlink()
