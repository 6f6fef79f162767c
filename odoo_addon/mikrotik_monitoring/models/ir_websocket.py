import re
import time

from odoo import api, models
from odoo.addons.bus.models.bus import channel_with_db

from .viewing import SUBSCRIBERS

OURS = "mikrotik_monitoring."
LIVE = "mikrotik_monitoring.live"
_ASKED = re.compile(r"mikrotik_monitoring\.(device|diagnostic)\.([0-9]{1,9})")
_MODELS = {"device": "mikrotik.device", "diagnostic": "mikrotik.diagnostic"}
MOST_CHANNELS = 500
CHECKED_FOR_S = 10.0
_MOST_CHECKED = 10_000

# Until when (database, user, model, id, kind) is known to be allowed, or not. Of this process.
_checked = {}


class IrWebsocket(models.AbstractModel):
    """Who may listen to which device."""

    _inherit = "ir.websocket"

    def _build_bus_channel_list(self, channels):
        """Put records in place of the names that were asked for: as far as the user may see them.

        Names of ours never reach the bus as they are, however they are spelled.
        """
        asked = [name for name in channels if isinstance(name, str)]
        ours = {name for name in asked if name.strip().lower().startswith(OURS)}
        channels = super()._build_bus_channel_list([name for name in channels if name not in ours])
        return channels + self._mikrotik_channels(ours)

    @api.model
    def _mikrotik_channels(self, names):
        """Return the channels that the user may have of these names."""
        found = sorted(match.groups() for match in map(_ASKED.fullmatch, names) if match)[:MOST_CHANNELS]
        channels = []
        for word, model in _MODELS.items():
            ids = [int(number) for kind, number in found if kind == word]
            kind = self._mikrotik_kind(model)
            channels += [(record, kind) for record in self._mikrotik_visible(model, ids)]
        return channels

    @api.model
    def _mikrotik_kind(self, model):
        """Return which of the channels of a record the user gets."""
        if model == "mikrotik.diagnostic":
            return "output"
        return "full" if self.env.user.has_group(SUBSCRIBERS) else "plain"

    @api.model
    def _mikrotik_visible(self, model, ids):
        """Return the records that the user may see."""
        records = self.env[model]
        if not ids or not records.check_access_rights("read", raise_exception=False):
            return records
        return records.with_context(active_test=False).search([("id", "in", ids)])


class ImBus(models.Model):
    """What is given out of the bus."""

    _inherit = "bus.bus"

    @api.model
    def _poll(self, channels, last=0):
        """Leave out what the user may not see any more, and all but the newest live message of a device."""
        bus = self.with_context(mikrotik_only_message=True)
        notifications = super(ImBus, bus)._poll(self._mikrotik_allowed(channels), last)
        return _newest_only(notifications)

    @api.model
    def search_read(self, domain=None, fields=None, offset=0, limit=None, order=None, **read_kwargs):
        """Read the message alone when the bus is polled, which takes nothing else.

        Odoo asks for all fields there, and the names of who wrote the row are half of what a poll costs.
        """
        if fields is None and self.env.context.get("mikrotik_only_message"):
            fields = ["message"]
        return super().search_read(domain, fields, offset, limit, order, **read_kwargs)

    @api.model
    def _mikrotik_allowed(self, channels):
        """Return these channels without those of records that the user may not see now.

        A websocket keeps its channels for as long as it lasts: rights may be gone since. What was found holds for
        some seconds.
        """
        named = [(channel, channel_with_db(self.env.cr.dbname, channel)) for channel in channels]
        ours = {key for _channel, key in named if _is_ours(key)}
        if not ours:
            return channels
        allowed = self._mikrotik_check(ours)
        return [channel for channel, key in named if not _is_ours(key) or key in allowed]

    @api.model
    def _mikrotik_check(self, keys):
        """Return those that the user may listen to."""
        now, allowed, unknown = time.monotonic(), set(), set()
        for key in keys:
            until, visible = _checked.get((self.env.uid, key), (0.0, False))
            if until <= now:
                unknown.add(key)
            elif visible:
                allowed.add(key)
        if unknown:
            allowed |= (found := self._mikrotik_ask(unknown))
            if len(_checked) > _MOST_CHECKED:
                _checked.clear()
            _checked.update({(self.env.uid, key): (now + CHECKED_FOR_S, key in found) for key in unknown})
        return allowed

    @api.model
    def _mikrotik_ask(self, keys):
        """Return those that the user may listen to now."""
        if not self.env.uid:
            return set()
        # This process may have served nothing but websockets since rights were changed by another one.
        self.env.registry.check_signaling()
        websocket, allowed = self.env["ir.websocket"], set()
        for model in {key[1] for key in keys}:
            kind = websocket._mikrotik_kind(model)
            visible = websocket._mikrotik_visible(model, [key[2] for key in keys if key[1] == model])
            allowed |= {key for key in keys if key[1] == model and key[2] in visible.ids and key[3] == kind}
        return allowed


def _is_ours(key):
    return isinstance(key, tuple) and len(key) == 4 and key[1] in _MODELS.values()


def _newest_only(notifications):
    """Return these without live messages that later ones of the same device stand in for: each is complete."""
    newest = {
        one["message"]["payload"]["device"]: one["id"]
        for one in notifications
        if one["message"]["type"] == LIVE
    }
    return [
        one
        for one in notifications
        if one["message"]["type"] != LIVE or newest[one["message"]["payload"]["device"]] == one["id"]
    ]
