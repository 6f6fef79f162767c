import uuid

from odoo import _, api, fields, models
from odoo.exceptions import UserError

PULLED = {"mtd_pulled": True}
_OWNED = frozenset(
    (
        "mtd_id",
        "mtd_revision",
        "sync_state",
        "sync_error",
        "sync_at",
        "sync_attempts",
        "sync_next_at",
        "sync_request_id",
        "sync_edits",
        "sync_base",
        "remote_values",
    )
)


class MikrotikSync(models.AbstractModel):
    """What Odoo edits and mtd owns: pushed after the commit, tried again until mtd has it.

    A record keeps which of its fields were changed here and what mtd had in them before, so that what others
    changed in mtd is neither overwritten nor overlooked.
    """

    _name = "mikrotik.sync"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Record of mtd that is edited in Odoo"

    name = fields.Char(required=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    active = fields.Boolean(default=True, copy=False)
    notes = fields.Text()
    mtd_id = fields.Char(string="ID in mtd", readonly=True, copy=False, index=True)
    mtd_revision = fields.Integer(string="Revision in mtd", readonly=True, copy=False)
    sync_state = fields.Selection(
        [
            ("new", "New"),
            ("pending", "Waiting"),
            ("synced", "Synced"),
            ("conflict", "Conflict"),
            ("missing", "Not in mtd"),
            ("failed", "Refused"),
        ],
        string="Sync",
        required=True,
        default="new",
        readonly=True,
        copy=False,
        index=True,
        help="Waiting: mtd gets it as soon as it answers. Conflict: it was changed in mtd as well. "
        "Not in mtd: somebody removed it there. Refused: mtd says why; correct it and it is sent again.",
    )
    sync_error = fields.Char(readonly=True, copy=False)
    sync_at = fields.Datetime(string="Synced at", readonly=True, copy=False)
    sync_attempts = fields.Integer(readonly=True, copy=False)
    sync_next_at = fields.Datetime(string="Next try at", readonly=True, copy=False, index=True)
    sync_request_id = fields.Char(readonly=True, copy=False)
    sync_edits = fields.Integer(readonly=True, copy=False, help="How often it was changed here.")
    sync_base = fields.Json(
        readonly=True, copy=False, help="What the fields that were changed here held when mtd had them last."
    )
    remote_values = fields.Json(
        string="Values in mtd", readonly=True, copy=False, help="What differs in mtd, in a conflict."
    )
    conflict_text = fields.Text(string="Differences", compute="_compute_conflict_text")
    connection_missing = fields.Boolean(compute="_compute_connection_state")
    connection_failed = fields.Boolean(compute="_compute_connection_state")
    bridge_is_late = fields.Boolean(compute="_compute_connection_state")

    # -- what each model says of itself --------------------------------------------

    @api.model
    def _synced_fields(self):
        """Return the fields that mtd gets."""
        raise NotImplementedError

    def _settings_of(self, names):
        """Return fields as arguments for mtd."""
        raise NotImplementedError

    def _values_of(self, remote, known):
        """Return what mtd has as values of these fields; without those that mean nothing here."""
        raise NotImplementedError

    @api.model
    def _send_new(self, client, push):
        raise NotImplementedError

    @api.model
    def _send_change(self, client, push):
        raise NotImplementedError

    @api.model
    def _fetch(self, client, name_or_id):
        raise NotImplementedError

    @api.model
    def _known(self, company):
        """Return what the names in mtd's answers stand for here."""
        return

    def _why_not_pushed(self):
        """Return what is missing before mtd can get the record; empty if nothing is."""
        return ""

    def _needed_first(self):
        """Return what mtd has to have before these, and hasn't."""
        return self.browse()

    @api.model
    def _take_facts(self, company, remotes):
        """Take over what mtd observed, for those that have something."""

    # -- edits -------------------------------------------------------------------

    @api.depends("company_id")
    def _compute_connection_state(self):
        connections = self.env["mikrotik.connection"]
        for company in self.company_id:
            connection = connections._of_company(company)
            records = self.filtered(lambda record, company=company: record.company_id == company)
            records.connection_missing = not connection._is_set_up()
            records.connection_failed = connection.state == "failed"
            records.bridge_is_late = bool(connection) and connection.bridge_is_late
        self.filtered(lambda record: not record.company_id).update(
            {"connection_missing": False, "connection_failed": False, "bridge_is_late": False}
        )

    @api.depends("remote_values")
    def _compute_conflict_text(self):
        for record in self:
            values = (record.remote_values or {}).get("values", {})
            record.conflict_text = "\n".join(
                _(
                    "%(field)s: %(here)s here, %(there)s in mtd",
                    field=record._fields[name].get_description(self.env, ["string"])["string"],
                    here=record._shown(name, record._plain(name)),
                    there=record._shown(name, value),
                )
                for name, value in values.items()
            )

    def _shown(self, name, value):
        """Return a value as people read it."""
        field = self._fields[name]
        if field.type == "many2one":
            return self.env[field.comodel_name].browse(value).display_name if value else _("none")
        if field.type == "selection":
            return dict(field._description_selection(self.env)).get(value, value)
        return value if value not in (False, "") else _("empty")

    def _plain(self, name):
        """Return the value of a field as JSON holds it."""
        value = self[name]
        if self._fields[name].type == "many2one":
            return value.id
        return value or "" if self._fields[name].type in ("char", "text") else value

    @api.model
    def _owned_by_mtd(self):
        """Return the fields that nobody but mtd, and what keeps step with it, writes."""
        return _OWNED

    def _is_pulled(self):
        """Return whether a write comes from mtd. Callers can set a context, but not that they are superuser."""
        return self.env.su and bool(self.env.context.get("mtd_pulled"))

    def _check_owned(self, vals):
        if not self.env.su and (owned := sorted(self._owned_by_mtd() & vals.keys())):
            raise UserError(_("These come from mtd and can't be written: %s.", ", ".join(owned)))

    @api.model_create_multi
    def create(self, vals_list):
        if self._is_pulled():
            return super().create(vals_list)
        for vals in vals_list:
            self._check_owned(vals)
        defaults = {f"default_{name}" for name in self._owned_by_mtd()}
        context = {name: value for name, value in self.env.context.items() if name not in defaults}
        marks = {"sync_state": "pending", "sync_next_at": fields.Datetime.now()}
        records = super(MikrotikSync, self.with_context(context)).create(  # pylint: disable=context-overridden
            [{**vals, **marks, "sync_request_id": str(uuid.uuid4())} for vals in vals_list]
        )
        records._push_after_commit()
        return records

    def write(self, vals):
        changed = self._synced_fields() & vals.keys()
        if self._is_pulled():
            return super().write(vals)
        self._check_owned(vals)
        if not changed:
            return super().write(vals)
        before = [(record, {name: record._plain(name) for name in changed}) for record in self]
        done = super().write(vals)
        for record, base in before:
            record._mark(base)
        self._push_after_commit()
        return done

    def _check_company_stays(self, company_id):
        if any(record.mtd_id and record.company_id.id != company_id for record in self):
            raise UserError(
                _("What mtd knows stays with its company. Archive it here, and add it in the other company.")
            )
        return super()._check_company_stays(company_id)

    def _mark(self, base):
        """Note what was changed here, and that mtd has to get it."""
        really = {name: value for name, value in base.items() if self._plain(name) != value}
        if not really and self.sync_state in ("synced", "conflict", "missing"):
            return
        vals = {"sync_edits": self.sync_edits + 1, "sync_base": {**really, **(self.sync_base or {})}}
        if self.sync_state not in ("conflict", "missing"):
            vals.update(sync_state="pending", sync_attempts=0, sync_next_at=fields.Datetime.now())
            vals["sync_error"] = False
        if not self.mtd_id and not self.sync_sent:
            vals["sync_request_id"] = str(uuid.uuid4())  # another content is another request
        self._pulled(vals)
