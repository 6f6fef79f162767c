import hashlib
import json
import logging
from collections import namedtuple
from datetime import UTC

from odoo import _, api, models
from odoo.exceptions import UserError

_logger = logging.getLogger(__name__)

UPTIME = "system.uptime_seconds"
_DEVICES_A_CALL = 500
_PLAIN = (
    "name",
    "host",
    "port",
    "tls_mode",
    "tls_fingerprint",
    "connect_timeout_s",
    "command_timeout_s",
    "notes",
    "rest_port",
    "snmp_version",
    "snmp_port",
    "snmp_username",
    "snmp_auth",
    "snmp_priv",
)
_SETS = {
    "credential_set_id": "readonly_credentials",
    "diagnostics_credential_set_id": "diagnostics_credentials",
    "config_audit_credential_set_id": "config_audit_credentials",
}
_FACTS = (
    "status",
    "status_reason",
    "routeros_version",
    "routeros_major",
    "board_name",
    "identity",
    "username",
)

Known = namedtuple("Known", "sites sets")


class MikrotikDevice(models.Model):
    """What mtd gets of a device, and what it tells about it."""

    _inherit = "mikrotik.device"

    @api.model
    def _owned_by_mtd(self):
        return super()._owned_by_mtd() | {
            *_FACTS,
            "status_since",
            "last_seen_stored_at",
            "capabilities_digest",
        }

    # -- to mtd ------------------------------------------------------------------

    @api.model
    def _synced_fields(self):
        return frozenset((*_PLAIN, "site_id", "enabled", "active", "method", *_SETS))

    def _why_not_pushed(self):
        if not self.mtd_id and not self.credential_set_id:
            return _("Choose the credentials that it is polled with.")
        if self.site_id and not self.site_id.mtd_id:
            return _("Its site isn't in mtd: %s", self.site_id.sync_error or self.site_id.name)
        return ""

    def _needed_first(self):
        return self.site_id.filtered(lambda site: not site.mtd_id)

    def _settings_of(self, names):
        names = set(names)
        if "tls_mode" in names and not self.port:
            names.add("port")  # the default port is another one
        if names & {"enabled", "active"}:
            names = names - {"active"} | {"enabled"}
        if self.method == "custom":
            names.discard("method")
        settings = {name: self._plain(name) or _empty(self._fields[name]) for name in names & set(_PLAIN)}
        if "enabled" in names:
            settings["enabled"] = self.enabled and self.active
        if "site_id" in names:
            settings["site"] = self.site_id.mtd_id or ""
        if "method" in names:
            settings["ways"] = [] if self.method == "auto" else [self.method]
        for field in names & _SETS.keys():
            settings[_SETS[field]] = self[field].name or ""
        return settings

    @api.model
    def _send_new(self, client, push):
        return client.create_device(request_id=push.request_id, **push.settings)

    @api.model
    def _send_change(self, client, push):
        return client.update_device(push.mtd_id, revision=push.revision, **push.settings)

    @api.model
    def _fetch(self, client, name_or_id):
        return client.get_device(name_or_id)

    @api.model
    def _push_due(self, limit=50, company=None):
        """Push what waits and is due: sites, devices, and removals."""
        tried = self.env["mikrotik.site"]._push_due(limit, company)
        tried += super()._push_due(limit, company)
        return tried + self.env["mikrotik.device.removal"]._push_due(limit, company)

    # -- from mtd ----------------------------------------------------------------

    @api.model
    def _known(self, company):
        domain = [("company_id", "=", company.id)]
        sites = self.env["mikrotik.site"].with_context(active_test=False).search(domain)
        sets = self.env["mikrotik.credential.set"].search(domain)
        return Known(
            {site.name: site.id for site in sites if site.mtd_id} | {"": False},
            {(one.purpose, one.name): one.id for one in sets} | {(None, ""): False},
        )

    def _values_of(self, remote, known):
        values = {name: getattr(remote, name) for name in _PLAIN}
        default = 8728 if remote.tls_mode == "off" else 8729
        if remote.port == default and (self.port or 0) != default:
            values["port"] = 0
        values["snmp_version"] = remote.snmp_version or False
        for name in ("snmp_auth", "snmp_priv"):
            values[name] = values[name] if values[name] not in ("", "unknown") else "none"
        ways = list(remote.ways)
        values["method"] = "auto" if not ways else ways[0] if len(ways) == 1 else "custom"
        if not self or self.active:
            values["enabled"] = remote.enabled
        if remote.site in known.sites:
            values["site_id"] = known.sites[remote.site]
        for field, setting in _SETS.items():
            name = getattr(remote, setting)
            purpose = setting.removesuffix("_credentials").replace("_", "-") if name else None
            if (purpose, name) in known.sets:
                values[field] = known.sets[purpose, name]
        return values

    @api.model
    def _take_devices(self, company, devices):
        """Bring the devices of a company in line with all that mtd has; see `_take`."""
        removed = self.env["mikrotik.device.removal"]._waiting(company)
        devices = [device for device in devices if device.id not in removed]
        problems = self._take(company, devices)
        self._take_facts(company, devices)
        return problems

    @api.model
    def _take_facts(self, company, remotes):
        """Take over what mtd observed of a company's devices: status, version, capabilities. Writes only what changed."""
        by_id = {remote.id: remote for remote in remotes}
        # sudo: for the bridge and after pushes; nothing is given to a user.
        records = self.sudo().with_context(active_test=False, mtd_pulled=True)
        known = records.search([("company_id", "=", company.id), ("mtd_id", "in", list(by_id))])
        since = known._status_began({one for one in known if one.status != by_id[one.mtd_id].status})
        reported = []
        for record in known:
            remote = by_id[record.mtd_id]
            vals = {name: getattr(remote, name) for name in _FACTS}
            vals["last_seen_stored_at"] = _naive(remote.last_seen_at)
            vals["capabilities_digest"] = _digest(remote)
            if remote.status != record.status:
                vals["status_since"] = since.get((record.id, remote.status))
            if vals["capabilities_digest"] != record.capabilities_digest:
                reported.append((record, remote))
            changed = {
                name: value for name, value in vals.items() if (record[name] or False) != (value or False)
            }
            if changed:
                record.write(changed)
        for record, remote in reported:
            self.env["mikrotik.device.capability"]._take(record, remote)

    @api.model
    def _status_began(self, devices):
        """Return when the status of devices began, by device and status, where the newest event told it."""
        if not devices:
            return {}
        self.env["mikrotik.event"].flush_model()
        self.env.cr.execute(
            "SELECT DISTINCT ON (device_id) device_id, new_value, time FROM mikrotik_event"
            " WHERE device_id = ANY(%s) AND entity_type = 'device' AND field = 'status'"
            " ORDER BY device_id, time DESC",
            ([device.id for device in devices],),
        )
        return {(device_id, status): began for device_id, status, began in self.env.cr.fetchall()}

    @api.model
    def _newest_from_mtd(self, company, mtd_ids):
        """Return when devices were heard of last, as far as mtd tells it at once."""
        from mtd.client import MtdClientError

        connection = self.env["mikrotik.connection"]._of_company(company)
        newest = {}
        if not mtd_ids or not connection._is_set_up() or connection._is_away():
            return newest
        try:
            for start in range(0, len(mtd_ids), _DEVICES_A_CALL):
                some = mtd_ids[start : start + _DEVICES_A_CALL]
                page = connection._call(
                    lambda client, some=some: client.query_latest(some, [UPTIME], page_size=1000), 1
                )
                newest.update({one.device_id: _naive(one.collected_at) for one in page.values})
        except (MtdClientError, UserError, RuntimeError) as error:
            _logger.info("mtd doesn't tell when devices were seen last: %s", error)
        return newest


def _empty(field):
    return 0 if field.type in ("integer", "float") else ""


def _naive(moment):
    """Return a time as Odoo holds it: UTC without saying so, to the second."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0) if moment else False


def _digest(remote):
    told = json.dumps([dict(remote.capabilities), dict(remote.absent_capabilities)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
