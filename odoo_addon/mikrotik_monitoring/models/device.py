import re

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

STATUSES = [
    ("unknown", "Unknown"),
    ("up", "Up"),
    ("degraded", "Degraded"),
    ("down", "Down"),
    ("disabled", "Disabled"),
]
METHODS = [
    ("auto", "Automatic"),
    ("api", "API"),
    ("rest", "REST"),
    ("snmp", "SNMP"),
    ("custom", "As set in mtd"),
]
TLS_MODES = [
    ("off", "None"),
    ("verify", "TLS, verified by a CA"),
    ("pinned", "TLS, pinned certificate"),
    ("anonymous", "TLS without certificate"),
    ("insecure", "TLS, not verified"),
]
EVENTS_SHOWN = 80
_HOST = re.compile(r"[A-Za-z0-9_.:%\-]+")
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}:?){32}")


class MikrotikDevice(models.Model):
    """A router: how it is reached, and what mtd last learned about it."""

    _name = "mikrotik.device"
    _inherit = "mikrotik.sync"
    _description = "MikroTik Monitoring: Device"
    _order = "name"
    _rec_names_search = ["name", "host", "identity"]
    _check_company_auto = True

    name = fields.Char(help="Unique within the company, as mtd and its users call the router.")
    host = fields.Char(required=True, help="Host name or address, as mtd reaches it.")
    port = fields.Integer(default=0, help="TCP port of the API. 0: 8728, or 8729 with TLS.")
    site_id = fields.Many2one("mikrotik.site", check_company=True, index=True, ondelete="restrict")
    enabled = fields.Boolean(
        string="Monitored", default=True, help="Off: known, but not polled. An archived device isn't either."
    )
    method = fields.Selection(
        METHODS,
        string="Read by",
        required=True,
        default="auto",
        help="Automatic: the API, then REST, then SNMP, as far as something says how to reach them.",
    )
    tls_mode = fields.Selection(TLS_MODES, string="Encryption", required=True, default="off")
    tls_fingerprint = fields.Char(
        string="Certificate fingerprint",
        help="SHA-256 of the router's certificate, hex, for a pinned one. A connection test shows it.",
    )
    connect_timeout_s = fields.Float(string="Connect time-out (s)", default=0, help="0: mtd's default.")
    command_timeout_s = fields.Float(string="Reply time-out (s)", default=0, help="0: mtd's default.")
    rest_port = fields.Integer(string="REST port", default=0, help="0: where the router itself says.")
    snmp_version = fields.Selection([("2c", "2c"), ("3", "3")], string="SNMP version", help="Empty: no SNMP.")
    snmp_port = fields.Integer(string="SNMP port", default=161)
    snmp_username = fields.Char(string="SNMP user")
    snmp_auth = fields.Selection(
        [("none", "None"), ("md5", "MD5"), ("sha1", "SHA-1")],
        string="SNMP authentication",
        required=True,
        default="none",
    )
    snmp_priv = fields.Selection(
        [("none", "None"), ("des", "DES"), ("aes", "AES")],
        string="SNMP encryption",
        required=True,
        default="none",
    )
    credential_set_id = fields.Many2one(
        "mikrotik.credential.set",
        string="Credentials",
        check_company=True,
        index=True,
        ondelete="restrict",
        domain="[('company_id', '=', company_id), ('purpose', '=', 'readonly')]",
        help="The login that it is polled with. Its secrets are in mtd, not in Odoo.",
    )
    diagnostics_credential_set_id = fields.Many2one(
        "mikrotik.credential.set",
        string="Credentials for tools",
        check_company=True,
        index=True,
        ondelete="restrict",
        domain="[('company_id', '=', company_id), ('purpose', '=', 'diagnostics')]",
        help="The login for ping, traceroute and torch. Empty: the one that it is polled with.",
    )
    config_audit_credential_set_id = fields.Many2one(
        "mikrotik.credential.set",
        string="Credentials for configuration",
        check_company=True,
        index=True,
        ondelete="restrict",
        domain="[('company_id', '=', company_id), ('purpose', '=', 'config-audit')]",
        help="The login that its configuration is read with. Empty: the session that polls.",
    )

    username = fields.Char(
        string="Own login", readonly=True, copy=False, help="Its own user in mtd, besides credential sets."
    )
    status = fields.Selection(
        STATUSES, required=True, default="unknown", readonly=True, copy=False, index=True
    )
    status_reason = fields.Char(string="Reason", readonly=True, copy=False)
    status_since = fields.Datetime(
        string="Since", readonly=True, copy=False, help="When the status began; empty if no event told it."
    )
    last_seen_stored_at = fields.Datetime(readonly=True, copy=False)
    last_seen_at = fields.Datetime(
        string="Last seen",
        compute="_compute_last_seen_at",
        help="When a poll succeeded last. Asked from mtd; while it is away, what Odoo knew last.",
    )
    routeros_version = fields.Char(string="RouterOS", readonly=True, copy=False)
    routeros_major = fields.Integer(
        string="RouterOS major", readonly=True, copy=False, group_operator=False, index=True
    )
    board_name = fields.Char(string="Model", readonly=True, copy=False)
    identity = fields.Char(readonly=True, copy=False, help="The name that the router gives itself.")
    capability_ids = fields.One2many("mikrotik.device.capability", "device_id", string="Capabilities")
    recent_event_ids = fields.Many2many(
        "mikrotik.event", string="Newest events", compute="_compute_recent_event_ids"
    )
    capabilities_digest = fields.Char(readonly=True, copy=False)

    _sql_constraints = [
        (
            "name_unique",
            "UNIQUE(name, company_id)",
            "There is a device of this name, maybe archived: choose another name.",
        ),
        ("mtd_id_unique", "UNIQUE(mtd_id, company_id)", "mtd's device is here already."),
        ("port_range", "CHECK(port BETWEEN 0 AND 65535)", "A port is between 0 and 65535."),
        ("rest_port_range", "CHECK(rest_port BETWEEN 0 AND 65535)", "The REST port is between 0 and 65535."),
        ("snmp_port_range", "CHECK(snmp_port BETWEEN 1 AND 65535)", "The SNMP port is between 1 and 65535."),
        (
            "timeouts_positive",
            "CHECK(connect_timeout_s >= 0 AND command_timeout_s >= 0)",
            "A time-out is positive, or 0 for mtd's default.",
        ),
    ]

    @api.constrains("name", "host")
    def _check_host(self):
        for record in self:
            if not record.name.strip() or record.name != record.name.strip():
                raise ValidationError(_("A name doesn't begin or end with a space."))
            if not _HOST.fullmatch(record.host):
                raise ValidationError(
                    _(
                        "%s is no host name or address: write it without spaces, scheme, port and path.",
                        record.host,
                    )
                )

    @api.constrains("tls_mode", "tls_fingerprint")
    def _check_fingerprint(self):
        for record in self:
            if record.tls_fingerprint and not _FINGERPRINT.fullmatch(record.tls_fingerprint):
                raise ValidationError(_("A SHA-256 fingerprint has 64 hexadecimal digits."))
            if record.tls_mode == "pinned" and not record.tls_fingerprint:
                raise ValidationError(
                    _("A pinned certificate needs its fingerprint: a connection test shows it.")
                )

    @api.constrains("method", "rest_port", "snmp_version", "snmp_username", "snmp_auth", "snmp_priv")
    def _check_method(self):
        for record in self:
            if record.method == "rest" and not record.rest_port:
                raise ValidationError(_("Read by REST alone, it needs the REST port."))
            if record.method == "snmp" and not record.snmp_version:
                raise ValidationError(_("Read by SNMP alone, it needs the SNMP version."))
            if record.snmp_version == "3" and not record.snmp_username:
                raise ValidationError(_("SNMP 3 needs a user."))
            if record.snmp_priv != "none" and record.snmp_auth == "none":
                raise ValidationError(_("SNMP encrypts only for a user that authenticates."))

    @api.onchange("host", "port")
    def _onchange_host(self):
        """Warn of a second device at the same place, which may be meant."""
        if not self.host:
            return None
        others = self.with_context(active_test=False).search(
            [
                ("host", "=", self.host),
                ("port", "=", self.port),
                ("company_id", "=", self.company_id.id),
                ("id", "!=", self._origin.id),
            ],
            limit=1,
        )
        if not others:
            return None
        return {
            "warning": {
                "type": "notification",
                "title": _("The same address"),
                "message": _("%s has the same host and port.", others.name),
            }
        }

    @api.depends("last_seen_stored_at", "mtd_id")
    def _compute_last_seen_at(self):
        for record in self:
            record.last_seen_at = record.last_seen_stored_at
        for company in self.company_id:
            records = self.filtered(lambda one, company=company: one.company_id == company and one.mtd_id)
            newest = self._newest_from_mtd(company, records.mapped("mtd_id"))
            for record in records:
                known = record.last_seen_stored_at
                seen = newest.get(record.mtd_id)
                if seen and (not known or seen > known):
                    record.last_seen_at = seen

    def _compute_recent_event_ids(self):
        """Show the newest alone: a router may have had ten thousands."""
        events = self.env["mikrotik.event"]
        for record in self:
            domain = [("device_id", "=", record._origin.id)]
            record.recent_event_ids = (
                events.search(domain, order="time desc, id desc", limit=EVENTS_SHOWN)
                if record._origin.id
                else events
            )

    def copy_data(self, default=None):
        """A copy is another router: it needs a name of its own."""
        default = dict(default or {})
        if "name" not in default:
            default["name"] = _("%s (copy)", self.name)
        return super().copy_data(default)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_watched(self):
        """Let go of archived devices, or those that mtd hasn't; mtd is told after the commit."""
        if any(record.active and record.mtd_id and record.sync_state != "missing" for record in self):
            raise UserError(
                _("Archive a device before it is deleted: deleting it also removes it from mtd for good.")
            )
        self.env["mikrotik.device.removal"]._remember(self)

    def action_events(self):
        """Show the events of the device."""
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("mikrotik_monitoring.action_mikrotik_event")
        return {**action, "domain": [("device_id", "=", self.id)], "context": {"create": False}}
