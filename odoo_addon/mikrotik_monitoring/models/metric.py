from dataclasses import replace
from datetime import UTC, datetime, timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..gateway.source import plan_range

MAX_DEVICES = 20
"""Most routers whose history is read at once."""
_AHEAD = timedelta(seconds=5)
"""Clocks of two machines differ: what has just been read may be from a moment to come."""


class MikrotikMetricLatest(models.Model):
    """The newest value of each series of routers: of the routers that are asked for, or of a metric of all."""

    _name = "mikrotik.metric.latest"
    _inherit = "mikrotik.metric.rows"
    _description = "MikroTik Monitoring: Latest Value"
    _auto = False
    _log_access = False
    _order = "device_id, key"

    @api.model
    def _devices_of(self, asked):
        if asked.devices is None and asked.patterns:
            asked = replace(asked, devices=[])
        return super()._devices_of(asked)

    @api.model
    def _read_series(self, source, devices, asked):
        known = source.latest(devices) if any(one.any_case for one in asked.patterns) else ()
        return source.latest(devices, _spelled(asked.patterns, known)), 0


class MikrotikMetricPoint(models.Model):
    """Values over time: as they are stored, or in buckets where those would be too many."""

    _name = "mikrotik.metric.point"
    _inherit = "mikrotik.metric.rows"
    _description = "MikroTik Monitoring: Value Over Time"
    _auto = False
    _log_access = False
    _order = "time desc, device_id, key"

    value_min = fields.Float(string="Smallest", readonly=True, group_operator="min", help="In the bucket.")
    value_max = fields.Float(string="Largest", readonly=True, group_operator="max", help="In the bucket.")
    hour = fields.Char(readonly=True, help="In your time zone.")
    slot = fields.Char(
        string="Time of chart", readonly=True, help="In your time zone, as fine as a chart of the range."
    )

    @api.model
    def _devices_of(self, asked):
        devices = super()._devices_of(asked) if asked.start else self.env["mikrotik.device"]
        if len(devices) > MAX_DEVICES:
            raise UserError(
                _("The history of at most %s routers can be read at once: choose fewer.", MAX_DEVICES)
            )
        return devices

    @api.model
    def _read_series(self, source, devices, asked):
        end = asked.end or datetime.now(UTC) + _AHEAD
        start_us, end_us = _microseconds(asked.start), _microseconds(end)
        if start_us >= end_us:
            return [], 0
        known = source.latest(devices)
        wanted = [one for one in known if not asked.patterns or any(p.matches(one) for p in asked.patterns)]
        plan = plan_range(start_us, end_us, len(wanted), asked.resolution)
        patterns = _spelled(asked.patterns, known)
        series = []
        for device in devices:
            series += source.history(device, patterns, plan)
        return series, end_us - start_us


class MikrotikDevice(models.Model):
    _inherit = "mikrotik.device"

    def action_device_history(self):
        """Open the history of this router, the last quarter of an hour at first."""
        return self._metric_action("mikrotik_monitoring.action_mikrotik_metric_point")

    def action_device_latest(self):
        """Open the latest values of this router."""
        return self._metric_action("mikrotik_monitoring.action_mikrotik_metric_latest")

    def _metric_action(self, name):
        self.ensure_one()
        self.check_access_rule("read")
        action = self.env["ir.actions.act_window"]._for_xml_id(name)
        action["context"] = {
            "search_default_device_id": self.id,
            "search_default_last_15_min": 1,
        }
        action["display_name"] = f"{self.display_name}: {action['name']}"
        return action


def _spelled(patterns, known):
    """Return patterns as mtd takes them."""
    return sorted({text for pattern in patterns for text in pattern.spelled(known)})


def _microseconds(moment):
    return round(moment.timestamp() * 1_000_000)
