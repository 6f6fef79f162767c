from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

KEPT_DAYS = 30
BRIDGE_LATE_S = 60
WAITS_MINUTES = 10
MOST_SECONDS = 60
MOST_COUNT = 100


class MikrotikDiagnostic(models.Model):
    """A tool that is run on a router: asked for here, run by the bridge."""

    _name = "mikrotik.diagnostic"
    _description = "MikroTik Monitoring: Diagnostic"
    _order = "id desc"
    _rec_name = "tool"

    device_id = fields.Many2one("mikrotik.device", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="device_id.company_id", store=True, index=True)
    user_id = fields.Many2one(
        "res.users", string="Asked by", required=True, readonly=True, default=lambda self: self.env.user
    )
    tool = fields.Selection(
        [("ping", "Ping"), ("traceroute", "Traceroute"), ("torch", "Torch")], required=True, default="ping"
    )
    address = fields.Char(help="The host that the router pings, or traces the path to.")
    interface = fields.Char(help="The interface whose traffic is shown, such as ether1.")
    count = fields.Integer(default=5, help="How many requests, or rounds.")
    duration_s = fields.Integer(string="Seconds at most", default=15)
    state = fields.Selection(
        [
            ("draft", "Not started"),
            ("queued", "Waiting"),
            ("running", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        default="draft",
        readonly=True,
        copy=False,
        index=True,
    )
    output = fields.Text(readonly=True, copy=False)
    error = fields.Char(readonly=True, copy=False)
    queued_at = fields.Datetime(readonly=True, copy=False)
    started_at = fields.Datetime(readonly=True, copy=False)
    ended_at = fields.Datetime(readonly=True, copy=False)
    bridge_is_late = fields.Boolean(compute="_compute_bridge_is_late")

    _sql_constraints = [
        (
            "count_bounds",
            f"CHECK(count BETWEEN 1 AND {MOST_COUNT})",
            f"Choose 1 to {MOST_COUNT} requests.",
        ),
        (
            "duration_bounds",
            f"CHECK(duration_s BETWEEN 1 AND {MOST_SECONDS})",
            f"Choose 1 to {MOST_SECONDS} seconds.",
        ),
    ]

    @api.constrains("tool", "address", "interface")
    def _check_aim(self):
        for record in self:
            if record.tool == "torch" and not (record.interface or "").strip():
                raise ValidationError(_("Torch needs the name of an interface."))
            if record.tool != "torch" and not (record.address or "").strip():
                raise ValidationError(_("Ping and traceroute need the address of a host."))

    @api.depends("tool", "device_id", "address", "interface")
    def _compute_display_name(self):
        tools = dict(self._fields["tool"]._description_selection(self.env))
        for record in self:
            aim = record.interface if record.tool == "torch" else record.address
            record.display_name = " ".join(filter(None, (tools.get(record.tool), record.device_id.name, aim)))

    @api.depends("company_id")
    def _compute_bridge_is_late(self):
        now = fields.Datetime.now()
        for record in self:
            # sudo: only whether a bridge lives is told, not how mtd is reached.
            connection = self.env["mikrotik.connection"].sudo()._of_company(record.company_id)
            seen = connection.bridge_seen_at
            record.bridge_is_late = not seen or (now - seen).total_seconds() > BRIDGE_LATE_S

    def action_run(self):
        """Ask the bridge to run it."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        if self.state in ("queued", "running"):
            raise UserError(_("It runs already: wait for its end, or cancel it."))
        if not self.device_id.mtd_id:
            raise UserError(_("mtd doesn't know %s yet: see its synchronisation state.", self.device_id.name))
        self.write(
            {
                "state": "queued",
                "user_id": self.env.uid,
                "output": False,
                "error": False,
                "queued_at": fields.Datetime.now(),
                "started_at": False,
                "ended_at": False,
            }
        )
        self._tell_bridge()
        return self._stay()

    def _stay(self):
        """Return what keeps a dialog open, where the run is shown in one."""
        if not self.env.context.get("mikrotik_dialog"):
            return None
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "new",
            "name": _("Diagnostics of %s", self.device_id.name),
            "context": {"mikrotik_dialog": True},
        }

    def action_cancel(self):
        """Ask the bridge to end it."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        running = self.filtered(lambda one: one.state in ("queued", "running"))
        running.write({"state": "cancelled", "ended_at": fields.Datetime.now()})
        if running:
            self._tell_bridge()
        return self._stay() if len(self) == 1 else None

    @api.model
    def _tell_bridge(self):
        """The bridge hears it when this transaction is committed."""
        self.env.flush_all()
        self.env.cr.execute("SELECT pg_notify('mikrotik_diagnostic', '')")

    # -- for the bridge --------------------------------------------------------------

    @api.model
    def _claim(self, limit):
        """Take so many of those that wait; they are running then. Those that waited for too long fail."""
        now = fields.Datetime.now()
        late = self.search(
            [("state", "=", "queued"), ("queued_at", "<", now - timedelta(minutes=WAITS_MINUTES))]
        )
        late.write(
            {"state": "failed", "ended_at": now, "error": _("No bridge took it in time: run it again.")}
        )
        taken = self.search([("state", "=", "queued")], limit=limit, order="id")
        taken.write({"state": "running", "started_at": now})
        return taken

    @api.model
    def _fail_orphans(self):
        """End what a bridge was running that isn't any more."""
        orphans = self.search([("state", "=", "running")])
        orphans.write(
            {
                "state": "failed",
                "ended_at": fields.Datetime.now(),
                "error": _("The bridge ended before it: run it again."),
            }
        )
        return orphans

    def _end(self, state, lines, error):
        """Keep how a run ended. Who cancelled it is right, whatever came of it."""
        for record in self:
            vals = {"output": "\n".join(lines), "error": error or False, "ended_at": fields.Datetime.now()}
            if record.state == "running":
                vals["state"] = state
            record.write(vals)

    @api.autovacuum
    def _gc_runs(self):
        """Remove old runs."""
        oldest = fields.Datetime.now() - timedelta(days=KEPT_DAYS)
        self.search([("create_date", "<", oldest)]).unlink()
