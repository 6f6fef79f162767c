import logging

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..gateway import clients
from .connection import _notice

_logger = logging.getLogger(__name__)

MOST_PAGES = 1000


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
        company, problems = self.company_id, []
        sets = self._sets_of_mtd()
        sites = self._call(_all_sites)
        devices = self._call(lambda client: client.list_devices())
        self._check_not_anothers(devices)
        if sets is not None:
            problems += self.env["mikrotik.site"]._guarded(
                _("Credential sets"), lambda: self.env["mikrotik.credential.set"]._take_sets(company, sets)
            )
        problems += self.env["mikrotik.site"]._take(company, sites)
        problems += self.env["mikrotik.device"]._take_devices(company, devices)
        return problems

    def _verify_tenant(self, client):
        """Raise MtdClientError if what is shown to mtd isn't of this company's tenant, or of another company's.

        The devices of one tenant must never come to another's company, nor go there, because somebody took the wrong
        token. Asked once by each process, and again when the token or the address is another one.
        """
        from mtd.client import MtdClientError, identity

        shown = (self._fingerprint(), self.tenant_name)
        if clients.VERIFIED.get(self._key()) == shown:
            return
        tenant = client.ask(identity.who_am_i()).tenant
        if trouble := self._tenant_trouble(tenant):
            raise MtdClientError(trouble, code="FAILED_PRECONDITION", reason="OTHER_TENANT")
        if tenant != self.tenant_name:
            self.sudo().write({"tenant_name": tenant, "event_position": "0"})  # sudo: whoever came first
        clients.VERIFIED[self._key()] = (self._fingerprint(), tenant)

    def _tenant_trouble(self, tenant):
        """Return why a tenant can't be that of this company; empty if it can."""
        if self.tenant_name and tenant != self.tenant_name and self._has_synced():
            return _(
                "The token is of tenant %(token)s, but this company's devices are those of %(own)s. Give it a token "
                "of %(own)s; or archive and delete the devices here first.",
                token=tenant,
                own=self.tenant_name,
            )
        # sudo: it is compared with all companies, of which nothing is told.
        same = [("id", "!=", self.id), ("target", "=", self.target), ("tenant_name", "=", tenant)]
        if self.sudo().search_count(same, limit=1):
            return _(
                "Tenant %s is already that of another company: each company has a tenant of its own.", tenant
            )
        return ""

    def _check_not_anothers(self, devices):
        """Raise MtdClientError if another company has these devices: it has the same tenant, at another address."""
        from mtd.client import MtdClientError

        # sudo: it is compared with all companies, of which nothing is told.
        others = self.env["mikrotik.device"].sudo().with_context(active_test=False)
        there = [
            ("company_id", "!=", self.company_id.id),
            ("mtd_id", "in", [device.id for device in devices]),
        ]
        if others.search_count(there, limit=1):
            raise MtdClientError(
                _("These are the devices of another company: each company has a tenant of its own."),
                code="FAILED_PRECONDITION",
                reason="OTHER_TENANT",
            )

    def _has_synced(self):
        """Return whether something here is in mtd, archived or not."""
        there = [("company_id", "=", self.company_id.id), ("mtd_id", "!=", False)]
        # sudo: who may change the connection may not see all of it.
        devices = self.env["mikrotik.device"].sudo().with_context(active_test=False)
        return bool(devices.search_count(there, limit=1))

    def _sets_of_mtd(self):
        """Return the credential sets; None if the token may not see them."""
        from mtd.client import MtdClientError

        try:
            return self._call(_all_sets)
        except MtdClientError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            _logger.info("the token of %s may not see credential sets: they aren't compared", self.name)
            return None

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
    """Return the rows of all pages. Raises MtdClientError for a list without an end."""
    from mtd.client import MtdClientError

    found, token = [], ""
    for _number in range(MOST_PAGES):
        page = client.ask(call(page_token=token))
        found += getattr(page, rows)
        token = page.next_page_token
        if not token:
            return found
    raise MtdClientError(f"a list has more than {MOST_PAGES} pages", code="OUT_OF_RANGE", reason="TOO_LONG")
