import logging
from collections import namedtuple
from contextlib import contextmanager

import psycopg2
from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import UserError

from ..gateway import lists, tenants
from .connection import _notice

_logger = logging.getLogger(__name__)

LOCKED_S = 10
"""How long a comparison waits for a row that somebody else writes, or a table that an upgrade changes."""

Told = namedtuple("Told", "sets sites devices")


class MikrotikConnection(models.Model):
    """Comparing what is here with what mtd has."""

    _inherit = "mikrotik.connection"

    def action_reconcile(self):
        """Compare with mtd now, and tell what came of it."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        problems = [problem for _complete, problem in self._compared() if problem]
        if problems:
            return _notice("danger", "\n".join(problems))
        return _notice("success", _("Odoo and mtd have been compared."))

    def _reconcile(self):
        """Take over what mtd has: credential sets, sites, devices. Returns whether mtd told all of it."""
        return all(complete for complete, _problem in self._compared())

    def _compared(self):
        """Compare each in transactions of its own. Returns for each whether mtd told all, and what is wrong."""
        found = []
        for connection in self:
            try:
                found.append(connection._compare(self._transaction))
            except psycopg2.OperationalError:
                _logger.warning("connection %s can't be compared with mtd", connection.id, exc_info=True)
                found.append((False, _("Others changed the same at this moment: compare again.")))
        return found

    @contextmanager
    def _transaction(self):
        """Give an environment of its own, which is committed at the end. The seam at which tests put theirs.

        The bridge writes to the row of the connection all the time. Under Odoo's repeatable reads a comparison would
        fail each time; here each statement sees what is committed.
        """
        with self.env.registry.cursor() as cr:
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cr.execute("SET LOCAL lock_timeout = %s", [f"{LOCKED_S}s"])
            yield api.Environment(cr, SUPERUSER_ID, {"lang": self.env.context.get("lang")})

    def _compare(self, transaction):
        """Take over what mtd has. Returns whether mtd told all of it, and what is wrong, in words.

        ``transaction`` gives an environment that is committed at the end; none is open while mtd is asked.
        """
        from mtd.client import MtdClientError

        try:
            with transaction() as env:
                connection = self.with_env(env).exists()
                if not connection or not (connection._is_set_up() or connection._secrets_trouble()):
                    return True, ""
                line, proof = connection._line(), connection._proof()
            told = self._told(line)
            with transaction() as env:
                connection = self.with_env(env).exists()
                if connection and connection._proof() != proof:
                    return False, _("The connection was changed meanwhile: compare again.")
                problem = "\n".join(connection._take_all(told)) if connection else ""
                connection._note("ok", problem)
                connection.reconciled_at = fields.Datetime.now()
                return True, problem
        except (MtdClientError, UserError) as error:  # also: it isn't complete, or its files can't be read
            with transaction() as env:
                return False, self.with_env(env).exists()._note_failed(error)

    def _note_failed(self, error):
        """Keep why mtd can't be compared with. Returns it in words."""
        if getattr(error, "reason", "") == tenants.OTHER_TENANT:
            self._leave_tenant()
        words = str(error) if isinstance(error, UserError) else self._words(error)
        self._note("failed", words)
        return words

    def _note(self, state, error):
        """Keep what came of a comparison, if it is news."""
        vals = {"state": state, "last_error": error or False}
        if any(self[name] != value for name, value in vals.items()):
            self.write(vals)

    def _told(self, line):
        """Return all that mtd has. The database isn't asked for anything here. Raises MtdClientError."""
        return Told(self._sets_of_mtd(line), line.ask(lists.sites), line.ask(lists.devices))

    def _take_all(self, told):
        """Take over what mtd told. Raises MtdClientError before that if it is another company's."""
        company, problems = self.company_id, []
        sets, sites, devices = told
        # One after the other: two comparisons would both make what is new.
        self.env.cr.execute("SELECT pg_advisory_xact_lock(hashtext('mikrotik comparison'), %s)", [self.id])
        self._check_ours({"credential.set": sets or [], "site": sites, "device": devices})
        if sets is not None:
            problems += self.env["mikrotik.site"]._guarded(
                _("Credential sets"), lambda: self.env["mikrotik.credential.set"]._take_sets(company, sets)
            )
        problems += self.env["mikrotik.site"]._take(company, sites)
        problems += self.env["mikrotik.device"]._take_devices(company, devices)
        return problems

    def _sets_of_mtd(self, line):
        """Return the credential sets; None if the token may not see them."""
        from mtd.client import MtdClientError

        try:
            return line.ask(lists.credential_sets)
        except MtdClientError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            _logger.info(
                "the token of connection %s may not see credential sets: they aren't compared", self.id
            )
            return None

    @api.model
    def _cron_reconcile(self):
        """Compare all connections with mtd, also where no bridge runs."""
        self._for_each(lambda connection, _company: connection._reconcile())

    @api.model
    def _cron_push(self):
        """Send to mtd what waits, also where no bridge runs: so much of each company, whatever the others have."""
        devices = self.env["mikrotik.device"]
        self._for_each(lambda _connection, company: devices._push_due(company=company), even_if_away=False)

    @api.model
    def _for_each(self, work, even_if_away=True):
        """Do something for each connection and its company. One that fails holds up no other."""
        with self._transaction() as env:
            found = env[self._name].search([("company_id.active", "=", True)])
            ready = (
                found if even_if_away else found.filtered(lambda one: one._is_set_up() and not one._is_away())
            )
            ids = [(one.id, one.company_id.id) for one in ready]
        for connection_id, company_id in ids:
            try:
                work(self.browse(connection_id), self.env["res.company"].browse(company_id))
            except Exception:
                _logger.exception("a job for connection %s has failed", connection_id)
