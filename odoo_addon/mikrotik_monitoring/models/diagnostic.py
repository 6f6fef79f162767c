from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

KEPT_DAYS = 30
BRIDGE_LATE_S = 60
WAITS_MINUTES = 10
MOST_SECONDS = 60
MOST_COUNT = 100
MOST_RUNNING = 3
"""Of one company: all companies share the bridge's places."""
MOST_QUEUED = 10

# What is said by the addon alone: by the buttons, and by the bridge.
_KEPT = ("state", "output", "error", "user_id", "company_id", "queued_at", "started_at", "ended_at")
_AIM = ("tool", "address", "interface", "count", "duration_s")
_UNDER_WAY = ("queued", "running")

# The oldest of each company before the second of any; a company's turn is later the more it has running.
_CLAIM = """
    WITH busy AS (
        SELECT company_id, count(*) AS runs FROM mikrotik_diagnostic WHERE state = 'running' GROUP BY company_id
    ), waiting AS (
        SELECT run.id, coalesce(busy.runs, 0) + row_number() OVER (
            PARTITION BY run.company_id ORDER BY run.queued_at, run.id) AS turn
        FROM mikrotik_diagnostic run
        JOIN mikrotik_device device ON device.id = run.device_id AND device.company_id = run.company_id
        LEFT JOIN busy ON busy.company_id = run.company_id
        WHERE run.state = 'queued'
    ), chosen AS (
        SELECT run.id FROM mikrotik_diagnostic run JOIN waiting ON waiting.id = run.id
        WHERE run.state = 'queued' AND waiting.turn <= %(most)s
        ORDER BY waiting.turn, run.queued_at, run.id LIMIT %(limit)s FOR UPDATE OF run SKIP LOCKED
    )
    UPDATE mikrotik_diagnostic run SET state = 'running', started_at = %(now)s
    FROM chosen WHERE run.id = chosen.id AND run.state = 'queued' RETURNING run.id
"""


class MikrotikDiagnostic(models.Model):
    """A tool that is run on a router: asked for here, run by the bridge."""

    _name = "mikrotik.diagnostic"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Diagnostic"
    _order = "id desc"
    _rec_name = "tool"

    device_id = fields.Many2one("mikrotik.device", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(
        "res.company", compute="_compute_company_id", store=True, precompute=True, index=True, copy=False
    )
    user_id = fields.Many2one(
        "res.users",
        string="Asked by",
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: self.env.user,
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

    # Not a related field: a run stays with the company whose user asked for it, wherever the router goes.
    @api.depends("device_id")
    def _compute_company_id(self):
        for record in self:
            record.company_id = record.device_id.company_id

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

    # -- what users may say ----------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """Keep new runs, of routers that the user sees. They begin as drafts of this user."""
        if self.env.su:
            return super().create(vals_list)
        self._refuse_kept({name for vals in vals_list for name in vals})
        self._refuse_kept({name[8:] for name in self.env.context if name.startswith("default_")})
        # Said here: users may have defaults of their own.
        fresh = {**dict.fromkeys(_KEPT, False), "state": "draft", "user_id": self.env.uid}
        del fresh["company_id"]
        records = super().create([{**vals, **fresh} for vals in vals_list])
        records._check_devices()
        return records

    def write(self, vals):
        """Change what is to be run, unless it is under way. The router stays the one that it was."""
        if not self.env.su:
            self._refuse_kept(vals)
            if "device_id" in vals and any(one.device_id.id != vals["device_id"] for one in self):
                raise UserError(_("The router of a run can't be changed: make a new one for another router."))
            if any(name in vals for name in _AIM) and any(one.state in _UNDER_WAY for one in self):
                raise UserError(_("It runs already: cancel it before you change what is to be run."))
        return super().write(vals)

    @api.model
    def _refuse_kept(self, names):
        refused = sorted(set(_KEPT).intersection(names))
        if refused:
            raise AccessError(
                _("How a run goes can't be written (%s): run it, or cancel it.", ", ".join(refused))
            )

    def _check_devices(self):
        """Refuse runs of routers that the user doesn't see. Raises AccessError."""
        devices = self.env["mikrotik.device"].with_context(active_test=False)
        wanted = set(self.device_id.ids)
        if wanted - set(devices.search([("id", "in", list(wanted))]).ids):
            raise AccessError(_("You don't see this router: choose one of your companies."))

    def action_run(self):
        """Ask the bridge to run it."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        self._check_devices()
        if self.state in _UNDER_WAY:
            raise UserError(_("It runs already: wait for its end, or cancel it."))
        if self.device_id.company_id != self.company_id:
            raise UserError(_("The router belongs to another company now: make a new run for it."))
        if not self.device_id.mtd_id:
            raise UserError(_("mtd doesn't know %s yet: see its synchronisation state.", self.device_id.name))
        self._check_room()
        # sudo: access was checked above, and users themselves can't write how a run goes.
        self.sudo().write(
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

    def _check_room(self):
        """Refuse one more where many wait. Raises UserError."""
        # sudo: runs of the company's other users count too; nothing but their number is used.
        waiting = self.sudo().search_count(
            [("company_id", "=", self.company_id.id), ("state", "=", "queued")]
        )
        if waiting >= MOST_QUEUED:
            raise UserError(
                _("%s runs of your company wait already: wait until they end, or cancel some.", waiting)
            )

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
        running = self.filtered(lambda one: one.state in _UNDER_WAY)
        # sudo: access was checked above, and users themselves can't write how a run goes.
        running.sudo().write({"state": "cancelled", "ended_at": fields.Datetime.now()})
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
        """Take so many of those that wait, each company in its turn; they are running then.

        Each is changed by one statement that looks at its state: what a user cancels meanwhile stays cancelled, and
        of two bridges only one takes it. Those that waited for too long fail, and so do those whose router went to
        another company: its mtd is not the run's.
        """
        now = fields.Datetime.now()
        waiting = self.search([("state", "=", "queued")])
        oldest = now - timedelta(minutes=WAITS_MINUTES)
        late = waiting.filtered(lambda one: (one.queued_at or one.create_date) < oldest)
        late._fail_waiting(_("No bridge took it in time: run it again."))
        strange = (waiting - late).filtered(lambda one: one.device_id.company_id != one.company_id)
        strange._fail_waiting(_("The router belongs to another company now: make a new run for it."))
        self.flush_model()
        self.env.cr.execute(_CLAIM, {"most": MOST_RUNNING, "limit": limit, "now": now})
        ids = sorted(row[0] for row in self.env.cr.fetchall())
        self.invalidate_model()
        return self.browse(ids)

    def _fail_waiting(self, error):
        """Fail those of these that still wait."""
        self.env.cr.execute(
            """UPDATE mikrotik_diagnostic SET state = 'failed', error = %s, ended_at = %s
               WHERE id IN %s AND state = 'queued'""",
            [error, fields.Datetime.now(), (0, *self.ids)],
        )
        self.invalidate_recordset()

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
        """Keep how a run ended. Who cancelled it is right, whatever came of it; who asked anew wants none of it."""
        self.flush_recordset()
        # A cancel that is under way is waited for, and seen.
        self.env.cr.execute("SELECT id FROM mikrotik_diagnostic WHERE id IN %s FOR UPDATE", [(0, *self.ids)])
        self.invalidate_recordset()
        for record in self:
            if record.state not in ("running", "cancelled"):
                continue
            vals = {"output": "\n".join(lines), "error": error or False, "ended_at": fields.Datetime.now()}
            if record.state == "running":
                vals["state"] = state
            record.write(vals)

    @api.autovacuum
    def _gc_runs(self):
        """Remove old runs."""
        oldest = fields.Datetime.now() - timedelta(days=KEPT_DAYS)
        self.search([("create_date", "<", oldest)]).unlink()
