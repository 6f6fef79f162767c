import logging

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from .connection import _notice

_logger = logging.getLogger(__name__)


class MikrotikConnection(models.Model):
    """Comparing what is here with what mtd has."""

    _inherit = "mikrotik.connection"

    def action_reconcile(self):
        """Compare with mtd now, and tell what came of it."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        self.sudo()._reconcile()  # sudo: what comes from mtd isn't written as a user; the right was checked
        failed = self.filtered("last_error")
        if failed:
            return _notice("danger", "\n".join(failed.mapped("last_error")))
        return _notice("success", _("Odoo and mtd have been compared."))

    def _reconcile(self):
        """Take over what mtd has: credential sets, sites, devices. Returns whether mtd told all of it."""
        from mtd.client import MtdClientError

        complete = True
        for connection in self.filtered(lambda one: one._is_set_up()):
            try:
                problems = connection._take_all()
            except MtdClientError as error:
                complete = False
                connection._note("failed", connection._words(error))
            except UserError as error:  # the connection isn't complete
                complete = False
                connection._note("failed", str(error))
            else:
                connection._note("ok", "\n".join(problems))
                connection.reconciled_at = fields.Datetime.now()
        return complete

    def _note(self, state, error):
        """Keep what came of a comparison, if it is news."""
        vals = {"state": state, "last_error": error or False}
        if any(self[name] != value for name, value in vals.items()):
            self.write(vals)

    def _take_all(self):
        """Raises MtdClientError before anything is taken over, except for what the token may not see."""
        company = self.company_id
        sets, problems = self._sets_of_mtd()
        sites = self._call(_all_sites)
        devices = self._call(lambda client: client.list_devices())
        if sets is not None:
            problems += self.env["mikrotik.site"]._guarded(
                _("Credential sets"), lambda: self.env["mikrotik.credential.set"]._take_sets(company, sets)
            )
        problems += self.env["mikrotik.site"]._take(company, sites)
        problems += self.env["mikrotik.device"]._take_devices(company, devices)
        return problems

    def _sets_of_mtd(self):
        """Return the credential sets, None if the token may not see them, and what is to be told of that."""
        from mtd.client import MtdClientError

        try:
            return self._call(_all_sets), []
        except MtdClientError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            return None, [_("Credential sets aren't compared: %s", self._words(error))]

    @api.model
    def _cron_reconcile(self):
        """Compare all connections with mtd, also where no bridge runs."""
        for connection in self.search([("company_id.active", "=", True)]):
            connection._reconcile()

    @api.model
    def _cron_push(self):
        """Send to mtd what waits, also where no bridge runs."""
        self.env["mikrotik.device"]._push_due()


def _all_sites(client):
    from mtd.client import places

    return _pages(client, places.sites, "places")


def _all_sets(client):
    from mtd.client import credential_sets

    return _pages(client, credential_sets.sets, "sets")


def _pages(client, call, rows):
    found, token = [], ""
    while True:
        page = client.ask(call(page_token=token))
        found += getattr(page, rows)
        token = page.next_page_token
        if not token:
            return found
