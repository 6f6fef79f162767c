import psycopg2
from odoo import _, models

from ..gateway import clients, tenants


class MikrotikConnection(models.Model):
    """Whose tenant of mtd a connection leads to: a company is one tenant, and no two companies are the same.

    The devices of one tenant must never come to another's company, nor go there, because somebody took the wrong
    token. The tenant is noted before anything else is asked, and what isn't noted brings nothing.
    """

    _inherit = "mikrotik.connection"

    def init(self):
        """Whoever comes second to a tenant is refused, even at the same moment.

        The tenant that mtd begins with has the same id everywhere: there the address counts, and the devices.
        """
        self.env.cr.execute(
            """CREATE UNIQUE INDEX IF NOT EXISTS mikrotik_connection_tenant ON mikrotik_connection
               (tenant_id, (CASE WHEN tenant_id = %s THEN target ELSE '' END))""",
            [tenants.FIRST_ID],
        )

    def _verify_tenant(self, client):
        """Raise MtdClientError if what is shown to mtd isn't of this company's tenant, or of another company's.

        Asked once by each process, and again when the token or the address is another one.
        """
        from mtd.client import identity

        if self.tenant_id and clients.VERIFIED.get(self._key()) == self._proof():
            return
        caller = client.ask(identity.who_am_i())
        if caller.role == tenants.SUPER_ADMIN:
            raise _refused(
                _(
                    "The token is a super-admin's, which reaches all tenants. Give this company a token of its own "
                    "tenant: mtd token add odoo --tenant NAME --role admin."
                )
            )
        if not caller.tenant_id:
            raise _refused(
                _("mtd doesn't tell of which tenant this is: give the company a token of its tenant.")
            )
        if (caller.tenant_id, caller.tenant) != (self.tenant_id, self.tenant_name):
            self._come_to(caller, client.list_devices())
        clients.VERIFIED[self._key()] = self._proof()

    def _proof(self):
        """Return what is shown to mtd, and whose tenant that is: as long as it is the same, nothing is asked again."""
        return (self._fingerprint(), self.tenant_id)

    def _come_to(self, caller, devices):
        """Note whose tenant it is. Raises MtdClientError if it can't be that of this company."""
        if caller.tenant_id == tenants.FIRST_ID:
            # One after the other: the second has to see the first.
            self.env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s), 0)", [self._table])
        if trouble := self._tenant_trouble(caller):
            raise _refused(trouble)
        self._check_ours({"device": devices})
        vals = {"tenant_id": caller.tenant_id, "tenant_name": caller.tenant}
        if not self._was(caller):
            vals["event_position"] = "0"
        try:
            with self.env.cr.savepoint():
                self.sudo().write(vals)  # sudo: whoever came first
                self.env.flush_all()
        except psycopg2.IntegrityError as error:  # they came to it only just
            raise _refused(self._taken(caller)) from error

    def _was(self, caller):
        """Return whether this was the tenant so far. At another address only its name tells."""
        if self.tenant_id:
            return self.tenant_id == caller.tenant_id
        return self.tenant_name == caller.tenant

    def _tenant_trouble(self, caller):
        """Return why a tenant can't be that of this company; empty if it can."""
        if self.tenant_name and not self._was(caller) and self._has_synced():
            return _(
                "The token is of tenant %(token)s, but this company's devices are those of %(own)s. Give it a token "
                "of %(own)s; or archive and delete the devices here first.",
                token=caller.tenant,
                own=self.tenant_name,
            )
        # sudo: it is compared with all companies, of which nothing is told.
        others = self.sudo().search([("id", "!=", self.id), ("tenant_name", "!=", False)])
        for other in others:
            if other.target == self.target and other._was(caller):
                return self._taken(caller)
            if other.tenant_id != caller.tenant_id:
                continue
            if caller.tenant_id != tenants.FIRST_ID:
                return self._taken(caller)
            if not other._has_synced(("sync_state", "!=", "missing")):
                return _(
                    "Another company has a tenant %s too, and no devices yet that would tell whether it is the same. "
                    "Give this company a tenant of its own, or let mtd have a device of that company first.",
                    caller.tenant,
                )
        return ""

    def _taken(self, caller):
        return _(
            "Tenant %s is already that of another company: each company has a tenant of its own.",
            caller.tenant,
        )

    def _check_ours(self, remotes):
        """Raise MtdClientError if another company has any of these: it has the same tenant, at another address.

        ``remotes``: what mtd has, by the kind of record.
        """
        for kind, found in remotes.items():
            # sudo: it is compared with all companies, of which nothing is told.
            records = self.env[f"mikrotik.{kind}"].sudo().with_context(active_test=False)
            ids = [remote.id for remote in found]
            there = [("company_id", "!=", self.company_id.id), ("mtd_id", "in", ids)]
            if records.search_count(there, limit=1):
                raise _refused(
                    _("What mtd has there is another company's: each company has a tenant of its own.")
                )

    def _leave_tenant(self):
        """Bring nothing from there until it is clear whose tenant it is."""
        clients.VERIFIED.pop(self._key(), None)
        if self.tenant_id:
            self.tenant_id = False

    def _has_synced(self, *where):
        """Return whether something here is in mtd, or was, archived or not."""
        there = [("company_id", "=", self.company_id.id), ("mtd_id", "!=", False), *where]
        # sudo: who may change the connection may not see all of it.
        devices = self.env["mikrotik.device"].sudo().with_context(active_test=False)
        return bool(devices.search_count(there, limit=1))


def _refused(text):
    from mtd.client import MtdClientError

    return MtdClientError(text, code="FAILED_PRECONDITION", reason=tenants.OTHER_TENANT)
