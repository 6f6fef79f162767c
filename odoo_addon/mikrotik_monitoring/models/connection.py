import logging

import odoo
from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..gateway import clients, secrets

_logger = logging.getLogger(__name__)

BRIDGE_LATE_S = 120
PROBE_S = 1
UNTESTED = {"state": "unknown", "last_error": False}


class MikrotikConnection(models.Model):
    """How a company reaches its mtd, and as which tenant."""

    _name = "mikrotik.connection"
    _description = "MikroTik Monitoring: Connection to mtd"
    _order = "company_id"

    name = fields.Char(required=True, default="mtd")
    company_id = fields.Many2one(
        "res.company",
        required=True,
        default=lambda self: self.env.company,
        copy=False,
        help="Whose routers these are: a company is one tenant of mtd.",
    )
    target = fields.Char(
        string="Address",
        required=True,
        default="127.0.0.1:50051",
        help="The gRPC address of mtd, such as mtd.example.net:50051. Several hubs that share a database: "
        "their addresses, with commas between them.",
    )
    tls = fields.Selection(
        [("none", "None"), ("public", "TLS, public CA"), ("ca", "TLS, own CA")],
        string="Encryption",
        required=True,
        default="none",
        help="Without TLS, a token is only sent to mtd on this machine.",
    )
    metric_source = fields.Selection(
        [("grpc", "mtd"), ("sql", "mtd's database")],
        string="Read telemetry from",
        required=True,
        default="grpc",
        groups="base.group_system",
        help="mtd's database is faster for long lists, where this server may reach it.",
    )
    state = fields.Selection(
        [("unknown", "Not tested"), ("ok", "Works"), ("failed", "Failed")],
        required=True,
        default="unknown",
        readonly=True,
        copy=False,
    )
    last_error = fields.Char(readonly=True, copy=False)
    checked_at = fields.Datetime(string="Tested at", readonly=True, copy=False)
    tenant_name = fields.Char(string="Tenant", readonly=True, copy=False)
    tenant_id = fields.Char(
        string="ID of the tenant",
        readonly=True,
        copy=False,
        help="Once mtd has told whose tenant the token is, at this address. Until then nothing is brought from there.",
    )
    mtd_version = fields.Char(string="Catalogue version", readonly=True, copy=False)
    reconciled_at = fields.Datetime(string="Compared with mtd at", readonly=True, copy=False)
    bridge_seen_at = fields.Datetime(
        string="Bridge heard of at",
        readonly=True,
        copy=False,
        help="When the bridge process that brings live values and events was heard of last.",
    )
    bridge_is_late = fields.Boolean(compute="_compute_bridge_is_late")
    event_position = fields.Char(readonly=True, copy=False, default="0")
    event_severity = fields.Selection(
        [("info", "Information"), ("warning", "Warning"), ("critical", "Critical")],
        string="Keep events from",
        required=True,
        default="info",
        help="Events below this severity stay in mtd and aren't copied here.",
    )
    event_days = fields.Integer(
        string="Keep events for days", default=90, help="Older events are removed here; mtd keeps its own."
    )

    _sql_constraints = [
        ("company_unique", "UNIQUE(company_id)", "This company has a connection already: change that one."),
        ("event_days_positive", "CHECK(event_days > 0)", "Events are kept for one day at least."),
    ]

    @api.depends("bridge_seen_at")
    def _compute_bridge_is_late(self):
        now = fields.Datetime.now()
        for record in self:
            seen = record.bridge_seen_at
            record.bridge_is_late = not seen or (now - seen).total_seconds() > BRIDGE_LATE_S

    @api.constrains("target")
    def _check_target(self):
        for record in self:
            parts = [part.strip() for part in record.target.split(",")]
            if any(not part or any(char.isspace() for char in part) for part in parts):
                raise ValidationError(
                    _("Write the address of mtd as host:port, and several with commas between them.")
                )

    def write(self, vals):
        if vals.keys() & {"target", "tls"}:
            vals = {**UNTESTED, **vals}
        if "target" in vals:
            # It may be another mtd: events that are here already are known by their time, too.
            vals = {"event_position": "0", "tenant_id": False, **vals}
        done = super().write(vals)
        self.check_access_rule("write")  # also as they are now
        if "target" in vals:
            for record in self:
                clients.BREAKER.note(record._key())  # what was away may be elsewhere
        return done

    # -- calls -------------------------------------------------------------------

    @api.model
    def _of_company(self, company):
        """Return the connection of a company, which may be none. For code that calls mtd for its users."""
        # sudo: only administrators read connections; what is asked through it is checked by the caller.
        return self.sudo().search([("company_id", "=", company.id)], limit=1)

    def _is_set_up(self):
        """Return whether there is something to show to mtd."""
        if not self or self._secrets_trouble():
            return False
        folder = self._folder()
        return folder.has(secrets.TOKEN) or (
            self.tls != "none" and folder.has(secrets.CERTIFICATE) and folder.has(secrets.KEY)
        )

    def _key(self):
        return (self.env.cr.dbname, self.id)

    def _client_options(self):
        """Return the arguments for a client of mtd; the token is read from its file at each call."""
        self.ensure_one()
        folder = self._folder()
        options = {"target": self.target, "tls": self.tls != "none"}
        if folder.has(secrets.TOKEN):
            options["token"] = lambda: folder.text(secrets.TOKEN)
        if self.tls == "ca" and folder.has(secrets.CA):
            options["ca_file"] = str(folder.file(secrets.CA))
        if self.tls != "none" and folder.has(secrets.CERTIFICATE) and folder.has(secrets.KEY):
            options["certificate_file"] = str(folder.file(secrets.CERTIFICATE))
            options["key_file"] = str(folder.file(secrets.KEY))
        return options

    def _client(self, deadline_s=5.0):
        """Return this process's client, whose calls take so long at most."""
        if odoo.evented:
            raise RuntimeError("a call to mtd would hold up the websockets that this process serves")
        if self and (trouble := self._secrets_trouble()):
            raise UserError(trouble)
        if not self._is_set_up():
            raise UserError(
                _(
                    "This company has no connection to mtd yet. An administrator sets it up in "
                    "MikroTik ▸ Configuration ▸ Connections: the address, and a token of the tenant."
                )
            )
        if self.tls == "ca" and not self._folder().has(secrets.CA):
            raise UserError(_("TLS with an own CA needs the CA certificate: add it to the connection."))
        return clients.CLIENTS.get(self._key(), self._fingerprint(), self._client_options, deadline_s)

    def _fingerprint(self):
        return (self.target, self.tls, self._folder().fingerprint())

    def _call(self, fn, deadline_s=5.0, is_small=True):
        """Return what a function of the client returns, see `Line.ask`. Raises MtdClientError."""
        return self._line(deadline_s).ask(fn, is_small)

    def _line(self, deadline_s=5.0):
        """Return a way to ask mtd when no transaction is open any more. Raises MtdClientError."""
        from mtd.client import MtdClientError

        line = clients.Line(self._key(), self._client(deadline_s))
        try:
            self._verify_tenant(line.client)
        except MtdClientError as error:
            line.failed(error)
            raise
        return line

    def _ask(self, fn, deadline_s=5.0, is_small=True):
        """Return what a page asks for; tell the user in words why it can't. While mtd is away, nobody waits for it."""
        from mtd.client import MtdClientError

        if clients.BREAKER.is_doubtful(self._key()):
            self._probe()
        if self._is_away():
            raise UserError(_("mtd doesn't answer at the moment. Try again in half a minute."))
        try:
            return self._call(fn, deadline_s, is_small)
        except MtdClientError as error:
            if error.code == clients.LATE and not is_small:
                self._probe()
            raise UserError(self._words(error)) from error

    def _probe(self):
        """Find out whether mtd is away, with a question that is answered at once."""
        from mtd.client import MtdClientError, identity

        try:
            line = clients.Line(self._key(), self._client(PROBE_S))
            line.ask(lambda client: client.ask(identity.who_am_i()))
        except MtdClientError as error:
            _logger.info("mtd of %s doesn't answer as it should: %s", self.name, error)

    @api.model
    def _words(self, error):
        """Return an error of mtd as people read it: what, what to do, and the word for a search."""
        code = error.code if error.reason == error.code else f"{error.code}, {error.reason}"
        return "\n".join(filter(None, (f"mtd: {error.message} [{code}]", error.hint)))

    def _is_away(self):
        """Return whether mtd was away within the last half minute, as far as this process knows."""
        return clients.BREAKER.is_open(self._key())

    def _expect_answers(self):
        """Forget that mtd was away: who asks now may know that it is back."""
        if self:
            clients.BREAKER.note(self._key())

    # -- buttons -----------------------------------------------------------------

    @api.model
    def action_open_connection(self):
        """Show the connection of the user's company, or a new one."""
        self.check_access_rights("read")
        found = self.search([("company_id", "=", self.env.company.id)], limit=1)
        return {
            "type": "ir.actions.act_window",
            "name": _("Connection to mtd"),
            "res_model": self._name,
            "res_id": found.id,
            "views": [(False, "form")],
            "target": "current",
        }

    def action_test(self):
        """Ask mtd who we are, and note what came of it."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        error, tenant = self._test()
        if error:
            return _notice("danger", error)
        return _notice("success", _("mtd answers, as tenant %s.", tenant))

    def _test(self):
        """Keep whether mtd answers. Returns why it doesn't, in words, and as whose tenant it does."""
        from mtd.client import MtdClientError

        found = {"checked_at": fields.Datetime.now(), "state": "ok", "last_error": False}
        clients.VERIFIED.pop(self._key(), None)
        try:
            found["mtd_version"] = self._call(lambda client: client.list_metrics()).version
        except MtdClientError as error:
            found.update(state="failed", last_error=self._words(error))
        with self._apart_from_caller() as connection:
            connection.write(found)
            return found["last_error"], connection.tenant_name


def _notice(kind, text):
    return {
        "type": "ir.actions.client",
        "tag": "display_notification",
        "params": {
            "type": kind,
            "message": text,
            "sticky": kind == "danger",
            "next": {"type": "ir.actions.client", "tag": "soft_reload"},
        },
    }
