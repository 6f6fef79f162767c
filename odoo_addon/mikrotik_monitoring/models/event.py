import json
from datetime import UTC, timedelta

from odoo import _, api, fields, models
from psycopg2.extras import execute_values

SEVERITIES = [("info", "Information"), ("warning", "Warning"), ("critical", "Critical")]
_VACUUM_ROWS = 10_000
_COLUMNS = (
    "connection_id",
    "company_id",
    "position",
    "mtd_device_id",
    "device_id",
    "device_name",
    "time",
    "event_type",
    "severity",
    "entity_type",
    "entity_id",
    "entity",
    "field",
    "old_value",
    "new_value",
    "message",
    "evidences",
    "subscriber",
)


class BigInteger(fields.Integer):
    """An integer of 64 bits: positions of mtd don't fit into 32."""

    column_type = ("int8", "int8")


class MikrotikEvent(models.Model):
    """What happened, as mtd told it. A copy: mtd has the original."""

    _name = "mikrotik.event"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Event"
    _order = "time desc, position desc"
    _rec_name = "message"
    _log_access = False

    connection_id = fields.Many2one(
        "mikrotik.connection", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    position = BigInteger(required=True, readonly=True, group_operator=False)
    mtd_device_id = fields.Char(string="Device in mtd", readonly=True, index=True)
    device_id = fields.Many2one("mikrotik.device", readonly=True, ondelete="set null")
    device_name = fields.Char(readonly=True)
    time = fields.Datetime(required=True, readonly=True, index=True)
    event_type = fields.Char(string="Type", readonly=True, index=True)
    severity = fields.Selection(SEVERITIES, required=True, readonly=True, index=True)
    entity_type = fields.Char(string="Entity type", readonly=True)
    entity_id = fields.Char(string="Entity in RouterOS", readonly=True)
    entity = fields.Char(readonly=True)
    field = fields.Char(readonly=True)
    old_value = fields.Char(string="Before", readonly=True)
    new_value = fields.Char(string="After", readonly=True)
    message = fields.Char(readonly=True)
    evidences = fields.Json(readonly=True)
    evidence_text = fields.Text(string="Seen by", compute="_compute_evidence_text")
    subscriber = fields.Boolean(
        string="About a subscriber", readonly=True, help="Only shown to the group Subscriber data."
    )

    _sql_constraints = [
        # Another mtd, or one that was set up anew, counts from the beginning.
        ("position_unique", "UNIQUE(connection_id, position, time)", "This event of mtd is here already."),
    ]

    def init(self):
        """The events of a device are read newest first."""
        self.env.cr.execute(
            "CREATE INDEX IF NOT EXISTS mikrotik_event_device_time ON mikrotik_event (device_id, time DESC)"
        )

    @api.depends("evidences")
    def _compute_evidence_text(self):
        for record in self:
            record.evidence_text = "\n".join(map(self._evidence_line, record.evidences or []))

    @api.model
    def _evidence_line(self, evidence):
        if not evidence["after_us"]:
            return _("%(seen_by)s: %(message)s", seen_by=evidence["source"], message=evidence["message"])
        return _(
            "%(seen_by)s, %(seconds).1f s later: %(message)s",
            seen_by=evidence["source"],
            seconds=evidence["after_us"] / 1e6,
            message=evidence["message"],
        )

    @api.model
    def _link_devices(self):
        """Give events their device where it came to be known after them. Returns how many."""
        self.env.cr.execute(
            """UPDATE mikrotik_event e SET device_id = d.id FROM mikrotik_device d
               WHERE e.device_id IS NULL AND d.mtd_id = e.mtd_device_id AND d.company_id = e.company_id"""
        )
        self.invalidate_model(["device_id"])
        return self.env.cr.rowcount

    @api.autovacuum
    def _gc_events(self):
        """Remove events that are older than their connection keeps them."""
        while True:
            self.env.cr.execute(
                """DELETE FROM mikrotik_event WHERE id IN (
                       SELECT e.id FROM mikrotik_event e JOIN mikrotik_connection c ON c.id = e.connection_id
                       WHERE e.time < (now() AT TIME ZONE 'UTC') - make_interval(days => c.event_days)
                       LIMIT %s)""",
                [_VACUUM_ROWS],
            )
            if self.env.cr.rowcount < _VACUUM_ROWS:
                break
        self.invalidate_model()


class MikrotikConnection(models.Model):
    """The events of a connection."""

    _inherit = "mikrotik.connection"

    def _take_events(self, events, behind=None):
        """Keep events of mtd, and the position of the last, in this transaction. Returns how many were new.

        An event that is here already is left out, as is one that is too old to be kept; one that was told again
        with more evidence takes the place of those before. Nothing is kept, and None returned, if the newest
        position isn't ``behind``.
        """
        self.ensure_one()
        self.flush_recordset(["event_position", "event_days"])
        cr = self.env.cr
        cr.execute(
            "SELECT event_position::int8, event_days FROM mikrotik_connection WHERE id = %s FOR UPDATE",
            [self.id],
        )
        position, days = cr.fetchone()
        if behind is not None and position != behind:
            return None
        oldest = fields.Datetime.now().replace(tzinfo=UTC) - timedelta(days=days)
        fresh = [event for event in events if event.position > position]
        kept = [event for event in fresh if event.collected_at >= oldest]
        new = self._insert_events(kept) if kept else 0
        if fresh:
            cr.execute(
                "UPDATE mikrotik_connection SET event_position = %s WHERE id = %s",
                [str(max(event.position for event in fresh)), self.id],
            )
            self.invalidate_recordset(["event_position"])
        return new

    def _insert_events(self, events):
        cr = self.env.cr
        replaced = [position for event in events for position in event.replaced_positions]
        if replaced:
            cr.execute(
                """DELETE FROM mikrotik_event WHERE connection_id = %s AND position = ANY(%s)
                       AND coalesce(mtd_device_id, '') = ANY(%s)""",
                [self.id, replaced, list({event.device_id for event in events if event.replaced_positions})],
            )
        # Of those that come together, the last telling counts, too.
        rows = [event for event in events if event.position not in replaced]
        devices = self._event_devices({event.device_id for event in rows if event.device_id})
        inserted = execute_values(
            cr._obj,
            f"INSERT INTO mikrotik_event ({', '.join(_COLUMNS)}) VALUES %s "  # noqa: S608 - names of this file
            "ON CONFLICT (connection_id, position, time) DO NOTHING RETURNING id",
            [self._event_row(event, devices) for event in rows],
            fetch=True,
        )
        self.env["mikrotik.event"].invalidate_model()
        return len(inserted)

    def _event_devices(self, mtd_ids):
        """Return the devices here by their id in mtd."""
        self.env.cr.execute(
            "SELECT mtd_id, id FROM mikrotik_device WHERE company_id = %s AND mtd_id = ANY(%s)",
            [self.company_id.id, list(mtd_ids)],
        )
        return dict(self.env.cr.fetchall())

    def _event_row(self, event, devices):
        from ..bridge.shown import is_about_subscriber
        from ..bridge.state import evidences_shown

        return (
            self.id,
            self.company_id.id,
            event.position,
            event.device_id or None,
            devices.get(event.device_id),
            event.device_name or None,
            event.collected_at.astimezone(UTC).replace(tzinfo=None),
            event.event_type,
            event.severity if event.severity in dict(SEVERITIES) else "info",
            event.entity_type or None,
            event.entity_id or None,
            event.entity_label or None,
            event.field or None,
            event.old_value or None,
            event.new_value or None,
            event.message or None,
            json.dumps(evidences_shown(event)),
            is_about_subscriber(event),
        )

    @api.model
    def _recent_events(self, device, limit):
        """Return the newest events of a device as widgets read them, oldest first, and whether each is private."""
        self.env.cr.execute(
            """SELECT position, (extract(epoch FROM time) * 1000000)::int8 AS t_us, mtd_device_id AS device_id,
                      device_name AS device, event_type AS type, severity, entity_type, entity_id, entity, field,
                      old_value AS old, new_value AS new, message, evidences, subscriber
               FROM mikrotik_event WHERE device_id = %s ORDER BY time DESC, position DESC LIMIT %s""",
            [device.id, limit],
        )
        rows = [{**row, "replaces": []} for row in reversed(self.env.cr.dictfetchall())]
        return [(row, row.pop("subscriber")) for row in rows]
