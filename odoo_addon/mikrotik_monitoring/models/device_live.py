"""What the live widgets read of a router: its history and its health, asked of mtd when somebody looks.

Nothing of it is stored in Odoo, and no answer takes longer than a few seconds.
"""

import math

from odoo import _, api, models
from odoo.exceptions import UserError

from ..gateway import clocks
from ..gateway.subscribers import without_subscribers

DEADLINE_S = 5.0
DAY_S = 86_400
MAX_SECONDS = 90 * DAY_S
MAX_METRICS = 200
MAX_POINTS = 2000
LARGEST_EXACT = 2**53 - 1
"""The largest integer that a browser holds exactly."""

_SEGMENT = ("from_us", "to_us", "status", "reason")


class MikrotikDevice(models.Model):
    _inherit = "mikrotik.device"

    def live_history(self, metrics, seconds, end_us=None, points=600):
        """Return stored values for charts, thinned to so many points a series; long times are read from rollups."""
        device = self._live_device()
        span_us = self._live_seconds(seconds) * 1_000_000
        end_us = self._live_number(end_us or 0)
        if not 0 <= end_us <= LARGEST_EXACT:
            raise UserError(_("%s is no time: give microseconds since 1970.", end_us))
        if not metrics or len(metrics) > MAX_METRICS:
            raise UserError(_("Ask for 1 to %s metrics at a time.", MAX_METRICS))
        points = min(max(self._live_number(points), 1), MAX_POINTS)

        def ask(client):
            until_us = end_us or self._live_now_us(client, device)
            start_us = until_us - span_us
            return start_us, client.query_range(
                device, list(metrics), start=start_us, end=until_us, max_points=points
            )

        start_us, found = self._live_ask(ask)
        all_data = self.env.user.has_group("mikrotik_monitoring.group_subscriber_data")
        shown = found.series if all_data else without_subscribers(found.series)
        series = [_series(one) for one in shown]
        end_us = start_us + span_us
        return {"start_us": start_us, "end_us": end_us, "bucket_us": found.bucket_us, "series": series}

    def live_health(self, seconds=DAY_S):
        """Return how the router was: segments in order, without gaps."""
        device = self._live_device()
        seconds = self._live_seconds(seconds)
        found = self._live_ask(lambda client: client.health(device, seconds=seconds))
        return {
            "start_us": _microseconds(found.start),
            "end_us": _microseconds(found.end),
            "segments": [{member: getattr(one, member) for member in _SEGMENT} for one in found.segments],
        }

    def _live_device(self):
        """Return the id in mtd of the one router that is looked at. Raises AccessError and UserError."""
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        if not self.mtd_id:
            raise UserError(
                _("mtd doesn't know %s yet. Its synchronisation state tells why; try again later.", self.name)
            )
        return self.mtd_id

    @api.model
    def _live_seconds(self, seconds):
        seconds = self._live_number(seconds)
        if not 0 < seconds <= MAX_SECONDS:
            raise UserError(_("Choose a time of at most %s days.", MAX_SECONDS // DAY_S))
        return seconds

    @api.model
    def _live_number(self, value):
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(_("%s is no whole number.", value)) from error

    def _live_now_us(self, client, device):
        """Return what time it is at mtd, whose times the values have: Odoo's clock may be another."""
        connection = self.env["mikrotik.connection"]._of_company(self.company_id)
        return clocks.CLOCKS.now_us(
            connection._key(), connection.target, lambda: _microseconds(client.health(device, seconds=1).end)
        )

    def _live_ask(self, ask):
        connection = self.env["mikrotik.connection"]._of_company(self.company_id)
        return connection._ask(ask, deadline_s=DEADLINE_S, is_small=False)


def _series(found):
    """Return one series of mtd's client as the browser takes it."""
    counter = found.lane == "counter"
    series = {
        "key": found.key,
        "metric": found.metric,
        "instance": found.instance,
        "label": found.label,
        "unit": found.unit,
        "lane": found.lane,
        "t_us": list(found.times_us),
        "v": [_exact(value) for value in found.values] if counter else _known(found.values),
    }
    if found.maximum:
        series["max"] = _known(found.maximum)
    return series


def _exact(value):
    return str(value) if value > LARGEST_EXACT else value


def _known(values):
    return [value if math.isfinite(value) else None for value in values]


def _microseconds(moment):
    return moment if isinstance(moment, int) else round(moment.timestamp() * 1_000_000)
