"""What the live widgets read of a router: its history and its health, asked of mtd when somebody looks.

Nothing of it is stored in Odoo, and no answer takes longer than a few seconds.
"""

import math
import time

from odoo import _, models
from odoo.exceptions import UserError

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
        start_us, end_us = self._live_span(seconds, end_us)
        if not metrics or len(metrics) > MAX_METRICS:
            raise UserError(_("Ask for 1 to %s metrics at a time.", MAX_METRICS))
        points = min(max(int(points), 1), MAX_POINTS)
        found = self._live_ask(
            lambda client: client.query_range(
                device, list(metrics), start=start_us, end=end_us, max_points=points
            )
        )
        all_data = self.env.user.has_group("mikrotik_monitoring.group_subscriber_data")
        shown = found.series if all_data else without_subscribers(found.series)
        series = [_series(one) for one in shown]
        return {"start_us": start_us, "end_us": end_us, "bucket_us": found.bucket_us, "series": series}

    def live_health(self, seconds=DAY_S):
        """Return how the router was: segments in order, without gaps."""
        device = self._live_device()
        self._live_span(seconds, None)
        found = self._live_ask(lambda client: client.health(device, seconds=int(seconds)))
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

    def _live_span(self, seconds, end_us):
        if not 0 < int(seconds) <= MAX_SECONDS:
            raise UserError(_("Choose a time of at most %s days.", MAX_SECONDS // DAY_S))
        end_us = int(end_us) if end_us else time.time_ns() // 1000
        return end_us - int(seconds) * 1_000_000, end_us

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
