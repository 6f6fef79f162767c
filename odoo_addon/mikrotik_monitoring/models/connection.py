import logging
from pathlib import Path

import odoo
from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import config

from ..gateway import clients, secrets

_logger = logging.getLogger(__name__)

WRITE_ONLY = {
    "token": secrets.TOKEN,
    "ca_pem": secrets.CA,
    "client_pem": secrets.CERTIFICATE,
    "client_key": secrets.KEY,
    "sql_dsn": secrets.DSN,
}
_HAS = {
    "has_token": secrets.TOKEN,
    "has_ca_pem": secrets.CA,
    "has_client_pem": secrets.CERTIFICATE,
    "has_client_key": secrets.KEY,
    "has_sql_dsn": secrets.DSN,
}
BRIDGE_LATE_S = 120


class MikrotikConnection(models.Model):
    """How a company reaches its mtd: as which tenant, and where its secrets are."""

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
    token = fields.Char(
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="API token of the tenant. It is kept in a file on this server and never shown again. "
        "Leave empty to keep the present one.",
    )
    ca_pem = fields.Text(
        string="CA certificate",
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="Certificates that mtd's has to be signed by, as PEM. Leave empty to keep the present ones.",
    )
    client_pem = fields.Text(
        string="Client certificate",
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="For mutual TLS, as PEM, instead of a token. Leave empty to keep the present one.",
    )
    client_key = fields.Text(
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="Key of the client certificate, as PEM. Leave empty to keep the present one.",
    )
    sql_dsn = fields.Char(
        string="Database login",
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        groups="base.group_system",
        help="A PostgreSQL login that may read mtd's views, such as "
        "host=/run/postgresql dbname=mtd user=odoo_north. Leave empty to keep the present one.",
    )
    has_token = fields.Boolean(string="Token is set", compute="_compute_secrets")
    has_ca_pem = fields.Boolean(string="CA certificate is set", compute="_compute_secrets")
    has_client_pem = fields.Boolean(string="Client certificate is set", compute="_compute_secrets")
    has_client_key = fields.Boolean(string="Client key is set", compute="_compute_secrets")
    has_sql_dsn = fields.Boolean(
        string="Database login is set", compute="_compute_secrets", groups="base.group_system"
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

    def _compute_secrets(self):
        for record in self:
            folder = record._folder() if record._origin.id else None
            for name in WRITE_ONLY:
                record[name] = False
            for name, file in _HAS.items():
                record[name] = bool(folder) and folder.has(file)

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

    @api.model_create_multi
    def create(self, vals_list):
        given = [self._apart(vals) for vals in vals_list]
        records = super().create([vals for vals, _secrets in given])
        for record, (_vals, texts) in zip(records, given, strict=True):
            # Files that are there already were those of a database of this name that was dropped.
            record._forget_secrets(secrets.NAMES)
            record._keep_secrets(texts)
        return records

    def write(self, vals):
        vals, texts = self._apart(vals)
        self._check_change(vals, texts)
        if vals.keys() & {"target", "tls"} or any(texts.values()):
            vals = {"state": "unknown", "last_error": False, **vals}
        if "target" in vals:
            # It may be another mtd: events that are here already are known by their time, too.
            vals = {"event_position": "0", **vals}
        done = super().write(vals)
        self.check_access_rule("write")  # also as they are now
        for record in self:
            record._keep_secrets(texts)
            if "target" in vals:
                clients.BREAKER.note(record._key())  # what was away may be elsewhere
        return done

    def unlink(self):
        folders = [record._folder() for record in self]
        keys = [record._key() for record in self]
        done = super().unlink()

        def forget():
            for folder, key in zip(folders, keys, strict=True):
                clients.CLIENTS.forget(key)
                try:
                    folder.remove()
                except OSError as error:
                    _logger.error("the secrets in %s can't be removed: %s", folder.path, error)

        self.env.cr.postcommit.add(forget)
        return done

    # -- secrets -----------------------------------------------------------------

    @api.model
    def _secrets_root(self):
        return config.get("mtd_secrets_dir") or str(Path(config["data_dir"]) / "mikrotik_monitoring")

    def _check_change(self, vals, texts):
        """Refuse what would show a secret to somebody else, or give the connection to another company.

        Who may change the connection need not know its token: it only goes where it was given for. Those who run the
        server can read its file.
        """
        if self.env.su or self.env.user.has_group("base.group_system"):
            return
        for record in self:
            if vals.get("company_id", record.company_id.id) != record.company_id.id:
                raise UserError(
                    _("A connection stays with its company: add another one for the other company.")
                )
            elsewhere = any(vals.get(name, record[name]) != record[name] for name in ("target", "tls"))
            if (elsewhere or texts.get("ca_pem")) and record._is_set_up() and not texts.get("token"):
                if not (texts.get("client_pem") and texts.get("client_key")):
                    raise UserError(
                        _(
                            "With another address, encryption or CA the token has to be given again, or a certificate."
                        )
                    )
                record._forget_secrets((secrets.TOKEN,))
            elif elsewhere and not texts.get("client_key"):
                record._forget_secrets((secrets.CERTIFICATE, secrets.KEY))

    @api.model
    def _apart(self, vals):
        """Return what goes to the database, and the secrets, which never do."""
        rest = {name: value for name, value in vals.items() if name not in WRITE_ONLY}
        texts = {name: vals[name] for name in vals.keys() & WRITE_ONLY.keys()}
        self.check_field_access_rights("write", list(texts))
        return rest, texts

    def _folder(self):
        self.ensure_one()
        return secrets.Folder(self._secrets_root(), self.env.cr.dbname, self._origin.id)

    def _keep_secrets(self, texts):
        """Write the secrets that were given; an empty one is left as it is."""
        folder = self._folder()
        try:
            for name, text in texts.items():
                if text and text.strip():
                    self._replace_secret(folder, WRITE_ONLY[name], text)
        except OSError as error:
            raise UserError(
                _(
                    "The secret can't be kept in %(path)s: %(why)s. Make that folder writable for the server, "
                    "or name another one as mtd_secrets_dir in its configuration.",
                    path=folder.path,
                    why=error.strerror,
                )
            ) from error
        self.invalidate_recordset([*WRITE_ONLY, *_HAS])

    def _replace_secret(self, folder, file, text):
        """Write a secret, and put the old one back if the transaction doesn't last."""
        before = folder.text(file)
        folder.keep(file, text)
        self.env.cr.postrollback.add(lambda: folder.keep(file, before))

    def action_forget_secrets(self):
        """Remove the token, the client certificate and the database login from this server."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        for record in self:
            record._forget_secrets((secrets.TOKEN, secrets.CERTIFICATE, secrets.KEY, secrets.DSN))
            record.state = "unknown"

    def _forget_secrets(self, files):
        """Remove these files, and put them back if the transaction doesn't last."""
        folder = self._folder()
        for file in files:
            if folder.has(file):
                self._replace_secret(folder, file, "")
        self.invalidate_recordset([*WRITE_ONLY, *_HAS])

    # -- calls -------------------------------------------------------------------

    @api.model
    def _of_company(self, company):
        """Return the connection of a company, which may be none. For code that calls mtd for its users."""
        # sudo: only administrators read connections; what is asked through it is checked by the caller.
        return self.sudo().search([("company_id", "=", company.id)], limit=1)

    def _is_set_up(self):
        """Return whether there is something to show to mtd."""
        if not self:
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
        """Return what a function of the client returns. Raises MtdClientError.

        ``is_small``: an answer that comes too late means that mtd is away, and not that much was asked.
        """
        from mtd.client import MtdClientError

        client = self._client(deadline_s)
        try:
            self._verify_tenant(client)
            answer = fn(client)
        except MtdClientError as error:
            if is_small or error.code != "DEADLINE_EXCEEDED":
                clients.BREAKER.note(self._key(), error.code)
            raise
        clients.BREAKER.note(self._key())
        return answer

    def _ask(self, fn, deadline_s=5.0, is_small=True):
        """Return what a function of the client returns; tell the user in words why it can't."""
        from mtd.client import MtdClientError

        try:
            return self._call(fn, deadline_s, is_small)
        except MtdClientError as error:
            raise UserError(self._words(error)) from error

    @api.model
    def _words(self, error):
        """Return an error of mtd as people read it: what, what to do, and the word for a search."""
        code = error.code if error.reason == error.code else f"{error.code}, {error.reason}"
        return "\n".join(filter(None, (f"mtd: {error.message} [{code}]", error.hint)))

    def _is_away(self):
        """Return whether mtd was away within the last half minute, as far as this process knows."""
        return clients.BREAKER.is_open(self._key())

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
        self._test()
        if self.state == "ok":
            return _notice("success", _("mtd answers, as tenant %s.", self.tenant_name))
        return _notice("danger", self.last_error)

    def _test(self):
        from mtd.client import MtdClientError

        found = {"checked_at": fields.Datetime.now(), "state": "ok", "last_error": False}
        clients.VERIFIED.pop(self._key(), None)
        try:
            found["mtd_version"] = self._call(lambda client: client.list_metrics()).version
        except MtdClientError as error:
            found.update(state="failed", last_error=self._words(error))
        self.write(found)


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
