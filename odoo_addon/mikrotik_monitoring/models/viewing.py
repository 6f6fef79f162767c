import re

from odoo import _, api, fields, models
from odoo.exceptions import UserError

HOLDS_S = 45
MOST_OF_A_USER = 200
SUBSCRIBERS = "mikrotik_monitoring.group_subscriber_data"
CHANNEL = "mikrotik_monitoring.device."
_VIEWER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class MikrotikViewing(models.Model):
    """Who looks at which device now: the bridge brings values of these devices, and no others."""

    _name = "mikrotik.viewing"
    _description = "MikroTik Monitoring: Who looks at a device"
    _log_access = False
    _order = "id"

    device_id = fields.Many2one("mikrotik.device", required=True, ondelete="cascade")
    user_id = fields.Many2one("res.users", required=True, index=True, ondelete="cascade")
    viewer = fields.Char(required=True, help="The tab of a browser.")
    kind = fields.Selection([("plain", "Plain"), ("full", "With subscriber data")], required=True)
    until = fields.Datetime(required=True, index=True)

    _sql_constraints = [
        ("viewer_unique", "UNIQUE(device_id, viewer)", "This tab looks at the device already."),
    ]

    def init(self):
        """Nobody misses it after a crash: who still looks says so within seconds."""
        self.env.cr.execute("SELECT relpersistence FROM pg_class WHERE oid = 'mikrotik_viewing'::regclass")
        if self.env.cr.fetchone()[0] != "u":
            self.env.cr.execute("ALTER TABLE mikrotik_viewing SET UNLOGGED")

    @api.autovacuum
    def _gc_gone(self):
        """Remove viewers who left, also where no bridge runs, which does so each minute."""
        self.env.cr.execute("DELETE FROM mikrotik_viewing WHERE until < now() AT TIME ZONE 'UTC'")


class MikrotikDevice(models.Model):
    """Looking at a device."""

    _inherit = "mikrotik.device"

    def live_watch(self, viewer):
        """Say that somebody looks at this device: at first, and each 20 s. Returns where its values come."""
        self._check_viewer(viewer)
        kind = "full" if self.env.user.has_group(SUBSCRIBERS) else "plain"
        if self._hold_viewing(viewer, kind):
            self._tell_bridge()
        return {"channel": f"{CHANNEL}{self.id}", "kind": kind, "bridge_seen_s": self._bridge_seen_s()}

    def live_unwatch(self, viewer):
        """Say that this tab looks no more. Without it, that is known after 45 s."""
        self._check_viewer(viewer)
        self.env.cr.execute(
            "DELETE FROM mikrotik_viewing WHERE device_id = %s AND viewer = %s AND user_id = %s",
            [self.id, viewer, self.env.uid],
        )
        if self.env.cr.rowcount:
            self._tell_bridge()
        return True

    def _check_viewer(self, viewer):
        """Raise AccessError if the user may not see the device, UserError if the viewer isn't the id of a tab."""
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        if not isinstance(viewer, str) or not _VIEWER.fullmatch(viewer):
            raise UserError(_("The viewer has to be a UUID in lower case. Reload the page."))

    def _hold_viewing(self, viewer, kind):
        """Note the viewer for a while. Returns whether that is news for the bridge."""
        cr = self.env.cr
        cr.execute(
            """SELECT count(*), bool_or(device_id = %s AND viewer = %s AND kind = %s) FROM mikrotik_viewing
               WHERE user_id = %s AND until > now() AT TIME ZONE 'UTC'""",
            [self.id, viewer, kind, self.env.uid],
        )
        count, known = cr.fetchone()
        if count >= MOST_OF_A_USER and not known:
            raise UserError(_("You look at %s devices already: close some of them.", count))
        cr.execute(
            """INSERT INTO mikrotik_viewing AS v (device_id, user_id, viewer, kind, until)
               VALUES (%s, %s, %s, %s, (now() AT TIME ZONE 'UTC') + make_interval(secs => %s))
               ON CONFLICT (device_id, viewer) DO UPDATE SET kind = EXCLUDED.kind, until = EXCLUDED.until
               WHERE v.user_id = EXCLUDED.user_id""",
            [self.id, self.env.uid, viewer, kind, HOLDS_S],
        )
        return not known

    def _tell_bridge(self):
        """The bridge hears it when this transaction is committed."""
        self.env.cr.execute("SELECT pg_notify('mikrotik_viewing', %s)", [str(self.id)])

    def _bridge_seen_s(self):
        """Return how many seconds ago a bridge was heard of; None if none ever was."""
        # sudo: who sees the device may know whether its values can come, not how mtd is reached.
        seen = self.env["mikrotik.connection"].sudo()._of_company(self.company_id).bridge_seen_at
        return (fields.Datetime.now() - seen).total_seconds() if seen else None
