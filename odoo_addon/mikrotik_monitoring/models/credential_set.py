import hashlib
import hmac
import os
import uuid
import weakref

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from .sync import PULLED

SECRETS = ("password", "snmp_community", "snmp_auth_password", "snmp_priv_password")
_SETTINGS = ("name", "username", "notes")
_OWNED = frozenset(("mtd_id", "mtd_revision", "used_by", "in_mtd", *(f"has_{kind}" for kind in SECRETS)))
_REQUEST_KEYS = weakref.WeakKeyDictionary()
"""By cursor: Odoo runs a request again, with the same cursor, where two wrote at the same moment."""


class MikrotikCredentialSet(models.Model):
    """A login that routers share. Its secrets go to mtd and are kept there alone."""

    _name = "mikrotik.credential.set"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Credential set"
    _order = "name"

    name = fields.Char(required=True, copy=False)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    purpose = fields.Selection(
        [
            ("readonly", "Polling"),
            ("diagnostics", "Tools"),
            ("config-audit", "Reading the configuration"),
        ],
        required=True,
        default="readonly",
        help="What mtd may use it for. It can't be changed: make another set for another purpose.",
    )
    username = fields.Char(string="User", help="User to log in to routers as.")
    notes = fields.Text()
    mtd_id = fields.Char(string="ID in mtd", readonly=True, copy=False, index=True)
    mtd_revision = fields.Integer(string="Revision in mtd", readonly=True, copy=False)
    used_by = fields.Integer(
        string="Used by",
        readonly=True,
        copy=False,
        help="How many devices of mtd use it, as of the last look.",
    )
    in_mtd = fields.Boolean(
        string="In mtd",
        readonly=True,
        copy=False,
        default=True,
        help="Off: somebody removed it there. Save a password to bring it back.",
    )
    has_password = fields.Boolean(string="Password is set", readonly=True, copy=False)
    has_snmp_community = fields.Boolean(string="SNMP community is set", readonly=True, copy=False)
    has_snmp_auth_password = fields.Boolean(
        string="SNMP authentication password is set", readonly=True, copy=False
    )
    has_snmp_priv_password = fields.Boolean(
        string="SNMP encryption password is set", readonly=True, copy=False
    )
    password = fields.Char(
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="Sent to mtd, never stored here and never shown again. Leave empty to keep the present one.",
    )
    snmp_community = fields.Char(
        string="SNMP community",
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="Sent to mtd, never stored here. Leave empty to keep the present one.",
    )
    snmp_auth_password = fields.Char(
        string="SNMP authentication password",
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="Sent to mtd, never stored here. Leave empty to keep the present one.",
    )
    snmp_priv_password = fields.Char(
        string="SNMP encryption password",
        compute="_compute_secrets",
        readonly=False,
        copy=False,
        help="Sent to mtd, never stored here. Leave empty to keep the present one.",
    )

    _sql_constraints = [
        ("name_unique", "UNIQUE(name, company_id)", "There is a credential set of this name."),
        ("mtd_id_unique", "UNIQUE(mtd_id, company_id)", "mtd's credential set is here already."),
    ]

    def _compute_secrets(self):
        for record in self:
            for name in SECRETS:
                record[name] = False

    @api.model_create_multi
    def create(self, vals_list):
        """Make sets here and in mtd, or neither."""
        for vals in vals_list:
            self._check_owned(vals)
        given = [_apart(vals) for vals in vals_list]
        records = super().create([vals for vals, _texts in given])
        if not self._is_pulled():
            for record, (_vals, texts) in zip(records, given, strict=True):
                record._make_in_mtd(texts)
        return records

    def write(self, vals):
        """Change sets here and in mtd, or neither."""
        vals, texts = _apart(vals)
        self._check_owned(vals)
        self._check_fixed(vals)
        done = super().write(vals)
        if not self._is_pulled() and (texts or vals.keys() & set(_SETTINGS)):
            for record in self:
                record._change_in_mtd(vals, texts)
        return done

    def unlink(self):
        """Remove sets here and in mtd, or neither."""
        from mtd.client import credential_sets

        self.check_access_rights("unlink")
        self.check_access_rule("unlink")
        named = [(record.company_id, record.mtd_id) for record in self if record.mtd_id and record.in_mtd]
        self.flush_model()
        done = super().unlink()  # first: what Odoo itself refuses, mtd isn't asked for
        for company, mtd_id in named:
            self._ask_mtd(company, credential_sets.delete_set(mtd_id), gone_is_fine=True)
        return done

    def _is_pulled(self):
        """Return whether a write comes from mtd. Callers can set a context, but not that they are superuser."""
        return self.env.su and bool(self.env.context.get("mtd_pulled"))

    def _check_owned(self, vals):
        if not self.env.su and (owned := sorted(_OWNED & vals.keys())):
            raise UserError(_("These come from mtd and can't be written: %s.", ", ".join(owned)))

    def _check_fixed(self, vals):
        for record in self:
            if vals.get("purpose", record.purpose) != record.purpose:
                raise ValidationError(
                    _("The purpose can't be changed: make another set for another purpose.")
                )
            if vals.get("company_id", record.company_id.id) != record.company_id.id:
                raise ValidationError(_("A set stays with its company: make another one there."))

    # -- mtd ---------------------------------------------------------------------

    def _make_in_mtd(self, texts):
        from mtd.client import credential_sets

        if not texts:
            raise UserError(
                _("Give the set a password, or what SNMP needs: mtd gets it with the first save.")
            )
        made = self._ask_mtd(
            self.company_id,
            credential_sets.create_set(
                self.name,
                self.purpose,
                username=self.username or "",
                notes=self.notes or "",
                request_id=self._request_id(texts),
                secrets=texts,
            ),
        )
        self._pulled(self._told(made))

    def _request_id(self, texts):
        """Return the same id when the same request is run again. It tells nothing of what is in it."""
        key = _REQUEST_KEYS.setdefault(self.env.cr, os.urandom(32))
        said = (self.company_id.id, self.name, self.purpose, self.username, self.notes, sorted(texts.items()))
        digest = hmac.new(key, repr(said).encode(), hashlib.sha256).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def _change_in_mtd(self, vals, texts):
        from mtd.client import credential_sets

        if not self.mtd_id or not self.in_mtd:
            self._make_in_mtd(texts)
            return
        changes = {name: self[name] or "" for name in _SETTINGS if name in vals}
        changed = self._ask_mtd(
            self.company_id,
            credential_sets.update_set(self.mtd_id, changes, revision=self.mtd_revision, secrets=texts),
        )
        self._pulled(self._told(changed))

    @api.model
    def _ask_mtd(self, company, call, gone_is_fine=False):
        """Make a call for a set; what mtd refuses undoes what was done here."""
        from mtd.client import MtdClientError

        self.env.flush_all()  # what the database refuses, mtd isn't asked for
        connection = self.env["mikrotik.connection"]._of_company(company)
        try:
            return connection._call(lambda client: client.ask(call))
        except MtdClientError as error:
            if gone_is_fine and error.code == "NOT_FOUND":
                return None
            hint = ""
            if error.code == "ABORTED":
                hint = "\n" + _("Compare the connection with mtd, and change it again.")
            raise UserError(connection._words(error) + hint) from error

    def _pulled(self, vals):
        """Write what comes from mtd: it isn't sent back."""
        # sudo: users can't write these; what made them may.
        self.sudo().with_context(**PULLED).write(vals)

    @api.model
    def _told(self, remote):
        """Return what mtd says of a set."""
        return {
            "name": remote.name,
            "username": remote.username,
            "notes": remote.notes,
            "mtd_id": remote.id,
            "mtd_revision": remote.revision,
            "used_by": remote.used_by,
            "in_mtd": True,
            **{f"has_{kind}": kind in remote.secrets for kind in SECRETS},
        }

    @api.model
    def _take_sets(self, company, remotes):
        """Bring the sets of a company in line with mtd's. Nothing is removed."""
        here = self.search([("company_id", "=", company.id)])
        by_id = {one.mtd_id: one for one in here if one.mtd_id}
        by_name = {one.name: one for one in here}
        for remote in remotes:
            one = by_id.get(remote.id) or by_name.get(remote.name)
            vals = self._told(remote)
            if not one or one.purpose != remote.purpose:
                # A set of that name for another purpose: the database refuses the second, and says so.
                self._pulled_new(company, remote, vals)
            elif changed := {
                name: value for name, value in vals.items() if (one[name] or False) != (value or False)
            }:
                one._pulled(changed)
        ids = {remote.id for remote in remotes}
        here.filtered(lambda one: one.in_mtd and one.mtd_id not in ids)._pulled({"in_mtd": False})

    @api.model
    def _pulled_new(self, company, remote, vals):
        self.with_context(**PULLED).create({"company_id": company.id, "purpose": remote.purpose, **vals})


def _apart(vals):
    """Return what goes to the database, and the secrets that were given, which never do."""
    rest = {name: value for name, value in vals.items() if name not in SECRETS}
    return rest, {name: vals[name] for name in SECRETS if vals.get(name)}
