import logging
from pathlib import Path

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import config

from ..gateway import clients, secrets
from .connection import UNTESTED

_logger = logging.getLogger(__name__)

WRITE_ONLY = {
    "token": secrets.TOKEN,
    "ca_pem": secrets.CA,
    "client_pem": secrets.CERTIFICATE,
    "client_key": secrets.KEY,
    "sql_dsn": secrets.DSN,
}
_HAS = {f"has_{name}": file for name, file in WRITE_ONLY.items()}


class MikrotikConnection(models.Model):
    """What is shown to mtd: kept in files of this server, never in the database, and never told again."""

    _inherit = "mikrotik.connection"

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
    secrets_trouble = fields.Char(compute="_compute_secrets_trouble")

    def _compute_secrets(self):
        for record in self:
            folder = record._folder() if record._origin.id else None
            for name in WRITE_ONLY:
                record[name] = False
            for name, file in _HAS.items():
                record[name] = bool(folder) and folder.has(file)

    def _compute_secrets_trouble(self):
        for record in self:
            record.secrets_trouble = record._secrets_trouble() if record._origin.id else False

    @api.model_create_multi
    def create(self, vals_list):
        given = [self._apart(vals) for vals in vals_list]
        records = super().create([vals for vals, _texts in given])
        for record, (_vals, texts) in zip(records, given, strict=True):
            # Files that are there already were those of a database of this name that was dropped.
            record._forget_secrets(secrets.NAMES)
            record._keep_secrets(texts)
        return records

    @api.model
    def load(self, fields, data):  # pylint: disable=redefined-outer-name
        """Refuse to import: the trial run of an import would really replace files of the server."""
        raise UserError(_("Connections can't be imported: add them one by one, with their tokens."))

    def write(self, vals):
        vals, texts = self._apart(vals)
        self._check_change(vals, texts)
        if texts:
            vals = {**UNTESTED, **vals}
        done = super().write(vals)
        for record in self:
            record._keep_secrets(texts)
        return done

    def unlink(self):
        folders = [record._folder() for record in self]
        keys = [record._key() for record in self]
        for record in self:
            record._forget_secrets(secrets.NAMES)  # refused here where it can't be done: the user is told
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

    # -- who may move them ---------------------------------------------------------

    def _check_change(self, vals, texts):
        """Refuse what would show a secret to somebody else, or give the connection to another company.

        Who may change the connection need not know its token: it only goes where it was given for. Those who run the
        server can read its file.
        """
        if self.env.su or self.env.user.has_group("base.group_system"):
            return
        for record in self:
            record._check_keeps_company(vals)
            record._leave_behind(vals, texts)

    def _check_keeps_company(self, vals):
        if vals.get("company_id", self.company_id.id) != self.company_id.id:
            raise UserError(_("A connection stays with its company: add another one for the other company."))

    def _leave_behind(self, vals, texts):
        """Forget what was given for another mtd than the one that is to be reached, and isn't given anew."""
        is_moved = any(vals.get(name, self[name]) != self[name] for name in ("target", "tls"))
        is_another = is_moved or "ca_pem" in texts
        if is_another and (trouble := self._secrets_trouble()):
            raise UserError(trouble)  # what can't be seen can't be left behind
        if is_another and self._is_set_up() and "token" not in texts:
            self._check_has_certificate(texts)
            self._forget_secrets((secrets.TOKEN,))
        if is_moved and "client_key" not in texts:
            self._forget_secrets((secrets.CERTIFICATE, secrets.KEY))

    def _check_has_certificate(self, texts):
        if not {"client_pem", "client_key"} <= texts.keys():
            raise UserError(
                _("With another address, encryption or CA the token has to be given again, or a certificate.")
            )

    # -- their files -----------------------------------------------------------------

    @api.model
    def _secrets_root(self):
        return config.get("mtd_secrets_dir") or str(Path(config["data_dir"]) / "mikrotik_monitoring")

    @api.model
    def _apart(self, vals):
        """Return what goes to the database, and the secrets, which never do. An empty one isn't given."""
        rest = {name: value for name, value in vals.items() if name not in WRITE_ONLY}
        named = vals.keys() & WRITE_ONLY.keys()
        self.check_field_access_rights("write", list(named))
        return rest, {name: vals[name] for name in named if vals[name] and vals[name].strip()}

    def _folder(self):
        self.ensure_one()
        return secrets.Folder(self._secrets_root(), self.env.cr.dbname, self._origin.id)

    def _secrets_trouble(self):
        """Return why the files can't be read, and what to do; empty if all is well."""
        folder = self._folder()
        try:
            folder.check()
        except OSError as error:
            return _(
                "The secrets in %(path)s can't be read: %(why)s. Give that folder to the server's user, with all "
                "that is in it: chown -R %(user)s %(path)s",
                path=folder.path,
                why=error.strerror,
                user=secrets.user(),
            )
        return ""

    def _keep_secrets(self, texts):
        """Write the secrets that were given; the others are left as they are."""
        folder = self._folder()
        try:
            for name, text in texts.items():
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
        callbacks, key = self.env.cr.postrollback, f"secret {folder.file(file)}"
        before = folder.text(file)
        folder.keep(file, text)
        if key not in callbacks.data:  # of several writes, what was there before the first comes back
            callbacks.data[key] = True
            callbacks.add(lambda: folder.keep(file, before))

    def action_forget_secrets(self):
        """Remove the token, the client certificate and the database login from this server."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        for record in self:
            record._forget_secrets((secrets.TOKEN, secrets.CERTIFICATE, secrets.KEY, secrets.DSN))
            record.sudo().state = "unknown"  # sudo: nobody writes it by hand

    def _forget_secrets(self, files):
        """Remove these files, and put them back if the transaction doesn't last."""
        folder = self._folder()
        try:
            folder.check()
            for file in files:
                if folder.has(file):
                    self._replace_secret(folder, file, "")
        except OSError as error:
            raise UserError(
                _(
                    "The secrets in %(path)s can't be removed: %(why)s. Give that folder to the server's user, with "
                    "all that is in it: chown -R %(user)s %(path)s",
                    path=folder.path,
                    why=error.strerror,
                    user=secrets.user(),
                )
            ) from error
        self.invalidate_recordset([*WRITE_ONLY, *_HAS])
