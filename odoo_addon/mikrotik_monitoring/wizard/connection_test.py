from odoo import _, api, fields, models

from ..models.device_actions import _bounded

_STEPS = [
    ("resolve", "Look up the name"),
    ("connect", "Reach"),
    ("tls", "Handshake"),
    ("login", "Log in"),
    ("snmp", "Ask by SNMP"),
    ("read", "Read version and identity"),
    ("other", "Other"),
]
_OUTCOMES = [
    ("ok", "Works"),
    ("unreachable", "Unreachable"),
    ("refused", "Refused"),
    ("tls_failed", "Handshake failed"),
    ("login_failed", "Login failed"),
    ("timed_out", "Timed out"),
    ("not_permitted", "Not permitted"),
    ("busy", "Busy"),
    ("protocol_error", "Not understood"),
    ("reply_too_large", "Reply too large"),
    ("command_failed", "Command failed"),
    ("name_not_found", "Name not found"),
    ("unknown", "Not tested"),
]
_WAYS = [("api", "API"), ("rest", "REST"), ("snmp", "SNMP"), ("unknown", "Unknown")]


class MikrotikConnectionTest(models.TransientModel):
    """What a test of the connection to one router found."""

    _name = "mikrotik.connection.test"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Connection test"
    _rec_name = "device_id"

    device_id = fields.Many2one("mikrotik.device", required=True, readonly=True, ondelete="cascade")
    company_id = fields.Many2one(related="device_id.company_id", store=True)
    outcome = fields.Selection(_OUTCOMES, required=True, readonly=True)
    reason = fields.Text(readonly=True)
    serves = fields.Selection(_WAYS, string="Best way", readonly=True)
    routeros_version = fields.Char(string="RouterOS", readonly=True)
    board_name = fields.Char(string="Model", readonly=True)
    identity = fields.Char(readonly=True)
    tls_fingerprint = fields.Char(string="Certificate fingerprint", readonly=True)
    can_pin = fields.Boolean(compute="_compute_can_pin")
    step_ids = fields.One2many("mikrotik.connection.test.step", "test_id", string="Steps", readonly=True)

    @api.depends("tls_fingerprint", "device_id.tls_mode", "device_id.tls_fingerprint")
    def _compute_can_pin(self):
        for record in self:
            device = record.device_id
            pinned = device.tls_mode == "pinned" and _digits(device.tls_fingerprint) == _digits(
                record.tls_fingerprint
            )
            record.can_pin = bool(record.tls_fingerprint) and device.tls_mode != "off" and not pinned

    @api.model
    def _run(self, devices):
        """Test routers and return the action that shows what came of it. The caller has checked the rights."""
        from mtd.client import requests

        devices._push_new()
        devices.filtered(lambda one: one.sync_state in ("pending", "failed"))._push_now()
        answers = devices._at_once(
            lambda client, mtd_id: client.ask(_bounded(requests.test_connection(mtd_id, "", {})))
        )
        tests = self.create([self._values(device, *answer) for device, answer in answers.items()])
        return tests._shown()

    @api.model
    def _values(self, device, found, error):
        if error is not None:
            reason = self.env["mikrotik.connection"]._words(error)
            return {"device_id": device.id, "outcome": "unknown", "reason": reason}
        names = dict(_STEPS)
        steps = [
            {
                "sequence": number,
                "step": step.name if step.name in names else "other",
                "way": step.way if step.way in dict(_WAYS) else "unknown",
                "ok": step.ok,
                "duration_ms": step.duration_us / 1000,
                "detail": step.detail,
            }
            for number, step in enumerate(found.steps)
        ]
        return {
            "device_id": device.id,
            "outcome": found.outcome if found.outcome in dict(_OUTCOMES) else "unknown",
            "reason": found.reason,
            "serves": found.serves if found.serves in dict(_WAYS) else False,
            "routeros_version": found.routeros_version,
            "board_name": found.board_name,
            "identity": found.identity,
            "tls_fingerprint": found.tls_fingerprint,
            "step_ids": [(0, 0, step) for step in steps],
        }

    def _shown(self):
        action = {"type": "ir.actions.act_window", "res_model": self._name, "target": "new"}
        if len(self) == 1:
            name = _("Connection test of %s", self.device_id.name)
            return {**action, "name": name, "res_id": self.id, "views": [(False, "form")]}
        views = [(False, "tree"), (False, "form")]
        return {**action, "name": _("Connection tests"), "views": views, "domain": [("id", "in", self.ids)]}

    def action_again(self):
        """Test once more."""
        self.ensure_one()
        return self.device_id.action_test_connection()

    def action_pin(self):
        """Trust the certificate that the router showed, and no other."""
        self.ensure_one()
        if self.can_pin:
            # As the user: whoever may not change the device can't.
            self.device_id.write({"tls_mode": "pinned", "tls_fingerprint": self.tls_fingerprint})
        return {"type": "ir.actions.act_window_close"}


class MikrotikConnectionTestStep(models.TransientModel):
    """One step of a connection test."""

    _name = "mikrotik.connection.test.step"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Step of a connection test"
    _order = "sequence, id"

    test_id = fields.Many2one("mikrotik.connection.test", required=True, ondelete="cascade")
    company_id = fields.Many2one(related="test_id.company_id", store=True)
    sequence = fields.Integer(readonly=True)
    step = fields.Selection(_STEPS, required=True, readonly=True)
    way = fields.Selection(_WAYS, required=True, readonly=True)
    ok = fields.Boolean(string="Passed", readonly=True)
    result = fields.Char(compute="_compute_result")
    duration_ms = fields.Float(string="Took (ms)", digits=(16, 1), readonly=True)
    detail = fields.Char(readonly=True)

    @api.depends("ok")
    def _compute_result(self):
        for record in self:
            record.result = _("Passed") if record.ok else _("Failed")


def _digits(fingerprint):
    return (fingerprint or "").replace(":", "").lower()
