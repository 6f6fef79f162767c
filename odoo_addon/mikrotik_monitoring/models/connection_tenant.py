from contextlib import contextmanager

import psycopg2
from odoo import _, api, models
from odoo.exceptions import UserError

from ..gateway import clients, lists, tenants

_FOUND = frozenset(
    (
        "tenant_id",
        "tenant_name",
        "state",
        "last_error",
        "checked_at",
        "mtd_version",
        "reconciled_at",
        "bridge_seen_at",
        "event_position",
    )
)
"""What was found out: whose devices a company has rests on it, so that nobody writes it."""


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

    # -- what was found out --------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_found(vals)
        defaults = {f"default_{name}" for name in _FOUND}
        context = {name: value for name, value in self.env.context.items() if name not in defaults}
        return super(MikrotikConnection, self.with_context(context)).create(  # pylint: disable=context-overridden
            vals_list
        )

    def write(self, vals):
        self._check_found(vals)
        return super().write(vals)

    def _check_found(self, vals):
        if not self.env.su and (found := sorted(_FOUND & vals.keys())):
            raise UserError(_("These are found out, and can't be written: %s.", ", ".join(found)))

    @contextmanager
    def _apart_from_caller(self):
        """Give this connection, as the superuser, in a transaction of its own that is committed at the end.

        What is found out is kept before mtd is asked on: a row that the caller's transaction had written would be
        locked for as long as mtd thinks, and the bridge writes to it. One that nobody else sees yet is given as it is.
        """
        with self._transaction() as env:
            if known := self.with_env(env).exists():
                yield known
                env.flush_all()
        if not known:
            yield self.sudo()  # sudo: nobody writes by hand what is found out
        self.invalidate_recordset(_FOUND)

    # -- whose tenant it is ----------------------------------------------------------

    def _verify_tenant(self, client):
        """Raise MtdClientError if what is shown to mtd isn't of this company's tenant, or of another company's.

        Asked once by each process, and again when the token or the address is another one.
        """
        from mtd.client import identity

        shown, tenant_id = self._fingerprint(), self.tenant_id
        if tenant_id and clients.VERIFIED.get(self._key()) == (shown, tenant_id):
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
        if (caller.tenant_id, caller.tenant) != (tenant_id, self.tenant_name):
            devices = lists.devices(client)
            with self._apart_from_caller() as connection:
                connection._come_to(caller, devices)
        if self._fingerprint() != shown:  # the client may have shown another token in between
            raise _refused(_("The connection was changed meanwhile: try again."), code="ABORTED")
        clients.VERIFIED[self._key()] = (shown, caller.tenant_id)

    def _proof(self):
        """Return what is shown to mtd, and whose tenant that is: as long as it is the same, nothing is asked again."""
        return (self._fingerprint(), self.tenant_id)

    def _come_to(self, caller, devices):
        """Note whose tenant it is. Raises MtdClientError if it can't be that of this company."""
        if caller.tenant_id == tenants.FIRST_ID:
            # One after the other: the second has to see the first.
            self.env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s), 0)", [self._table])
        if trouble := self._tenant_trouble(caller, devices):
            raise _refused(trouble)
        self._check_ours({"device": devices})
        vals = {"tenant_id": caller.tenant_id, "tenant_name": caller.tenant}
        if not self._was(caller):
            vals["event_position"] = "0"
        try:
            with self.env.cr.savepoint():
                self.sudo().write(vals)  # sudo: nobody else may
                self.env.flush_all()
        except psycopg2.IntegrityError as error:  # they came to it only just
            raise _refused(self._taken(caller)) from error

    def _was(self, caller):
        """Return whether this was the tenant so far. At another address only its name tells."""
        if self.tenant_id:
            return self.tenant_id == caller.tenant_id
        return self.tenant_name == caller.tenant

    def _tenant_trouble(self, caller, devices):
        """Return why a tenant can't be that of this company; empty if it can. ``devices``: what the tenant has."""
        if (self._has_synced() or self._has_to_remove()) and not self._is_ours(caller, devices):
            if not self.tenant_name:
                return _(
                    "This company has devices already, or some that wait to be removed, and tenant %s has none of "
                    "them. Give it a token of their tenant; or archive and delete them here first.",
                    caller.tenant,
                )
            return _(
                "The token is of tenant %(token)s, but this company's devices are those of %(own)s. Give it a token "
                "of %(own)s; or archive and delete the devices here first, and wait until mtd has removed them.",
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

    def _is_ours(self, caller, devices):
        """Return whether a tenant is that of what this company has already.

        A connection that was added anew doesn't know: then something of what mtd has must be here.
        """
        if self.tenant_name:
            return self._was(caller)
        there = ("mtd_id", "in", [device.id for device in devices])
        return self._has_synced(there) or self._has_to_remove(there)

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
        """Return whether some device here is in mtd, or was, archived or not."""
        there = [("company_id", "=", self.company_id.id), ("mtd_id", "!=", False), *where]
        # sudo: who may change the connection may not see all of it.
        devices = self.env["mikrotik.device"].sudo().with_context(active_test=False)
        return bool(devices.search_count(there, limit=1))

    def _has_to_remove(self, *where):
        """Return whether some device that was deleted here waits to be removed from mtd."""
        there = [("company_id", "=", self.company_id.id), ("state", "!=", "done"), *where]
        # sudo: as above.
        return bool(self.env["mikrotik.device.removal"].sudo().search_count(there, limit=1))


def _refused(text, code="FAILED_PRECONDITION"):
    from mtd.client import MtdClientError

    return MtdClientError(text, code=code, reason=tenants.OTHER_TENANT)
