import logging
import time
from dataclasses import dataclass
from functools import partial

import pytz
from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.osv import expression
from odoo.tools import SQL

from ..gateway import secrets
from ..gateway.rows import Rows, no_rows, rows_of
from ..gateway.source import MAX_ROWS, SourceError
from ..gateway.source_grpc import GrpcSource
from ..gateway.source_sql import SqlSource
from ..gateway.subscribers import without_subscribers
from .metric_domain import Asked, asked_of

_logger = logging.getLogger(__name__)

KEPT_S = 10.0
"""For how long one transaction gets the same values: of a page, its count and its groups."""
NAMED_S = 300.0
"""For how long the ids of values can be read in the transaction that found them."""
MOST_KEPT = 4 * MAX_ROWS
"""Most rows that one transaction keeps: the last ones that were used."""
_CONTEXT = "mikrotik_metric_rows"
_CACHE = "mikrotik_monitoring.metric_rows"


@dataclass(frozen=True)
class _Question:
    """What rows were read for."""

    devices: frozenset
    asked: Asked
    zone: str

    def holds(self, other, rows):
        """Return whether these rows hold all that another question would bring, as fine as that."""
        mine, wanted = self.asked, other.asked
        return (
            self.devices >= other.devices
            and self.zone == other.zone
            and (mine.start, mine.end) == (wanted.start, wanted.end)
            and (not mine.patterns or mine.patterns == wanted.patterns)
            and (mine == wanted or rows.resolutions == {wanted.resolution})
        )


class MikrotikMetricRows(models.AbstractModel):
    """Values that are never stored here: each search reads what its domain asks for from mtd."""

    _name = "mikrotik.metric.rows"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Values Read From mtd"
    _auto = False
    _log_access = False
    _rec_name = "key"

    device_id = fields.Many2one("mikrotik.device", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    metric = fields.Char(readonly=True, help="Key in the metric catalogue, such as iface.rx_bps.")
    instance = fields.Char(readonly=True, help="Stays the same when the thing gets another name.")
    label = fields.Char(readonly=True, help="What the thing is called on the router, such as ether1.")
    key = fields.Char(readonly=True, help="Metric and label in one, such as iface.ether1.rx_bps.")
    unit = fields.Char(readonly=True)
    time = fields.Datetime(readonly=True, help="When the router was read; of a bucket, its start.")
    value = fields.Float(
        readonly=True, group_operator="avg", help="In buckets the mean, of counters the last."
    )
    value_int = fields.Char(string="Exact value", readonly=True, help="Counters, to the last digit.")
    value_text = fields.Char(string="State", readonly=True, help="What the number of a state means.")
    resolution = fields.Char(readonly=True, help="raw: as the router told it; else the width of a bucket.")

    @property
    def _table_query(self):
        rows = self.env.context.get(_CONTEXT)
        # Callers choose contexts, and none of them can send such an object.
        if not isinstance(rows, Rows):
            rows = (self._kept_rows(set(self.ids)) if self.ids else None) or no_rows()
        return SQL(rows.sql, *rows.params)

    @api.model
    def _search(self, domain, offset=0, limit=None, order=None, access_rights_uid=None):
        model = self.with_user(access_rights_uid) if access_rights_uid else self
        model.check_access_rights("read")
        rows = self._rows_by_ids(domain) or self._rows_for(domain)
        model = self.with_context(**{_CONTEXT: rows})
        return super(MikrotikMetricRows, model)._search(
            domain, offset=offset, limit=limit, order=order, access_rights_uid=access_rights_uid
        )

    def exists(self):
        return self.filtered(lambda record: self._kept_rows({record.id}))

    @api.model
    def check_access_rights(self, operation, raise_exception=True):
        """Nobody changes values, not even Odoo itself, which has all rights."""
        if operation == "read":
            return super().check_access_rights(operation, raise_exception)
        if raise_exception:
            raise UserError(_("Values belong to mtd and can only be read here."))
        return False

    # -- rows ------------------------------------------------------------------

    @api.model
    def _rows_for(self, domain):
        """Return the rows that a domain asks for; none if it doesn't ask for few enough."""
        asked = asked_of(domain)
        devices = self._devices_of(asked)
        if not devices:
            return no_rows()
        question = _Question(frozenset(devices.ids), asked, self._zone())
        kept = self._kept()
        for entry in reversed(kept):
            known, reader, since, rows = entry
            is_new = reader == self._reader() and time.monotonic() - since < KEPT_S
            if is_new and known.holds(question, rows):
                kept.remove(entry)
                kept.append(entry)
                return rows
        rows = self._read_rows(devices, asked, question.zone)
        self._keep(question, rows)
        return rows

    @api.model
    def _read_group_format_result(self, rows_dict, lazy_groupby):
        """Let a group be opened as fine as the whole was read: alone, it would be read finer."""
        result = super()._read_group_format_result(rows_dict, lazy_groupby)
        rows = self._kept()[-1][3] if self._kept() else no_rows()
        if len(rows.resolutions) == 1:
            (resolution,) = rows.resolutions
            for row in rows_dict:
                row["__domain"] = expression.AND([row["__domain"], [("resolution", "=", resolution)]])
        return result

    @api.model
    def _rows_by_ids(self, domain):
        """Return the rows that were found before, if a domain names nothing but ids; else None."""
        if len(domain) != 1 or domain[0][0] != "id" or domain[0][1] not in ("=", "in"):
            return None
        ids = {domain[0][2]} if domain[0][1] == "=" else set(domain[0][2])
        rows = self._kept_rows(ids)
        if rows is None and ids:
            raise UserError(
                _(
                    "Values have no lasting ids. Search for them again, by device and time, "
                    "and read them in the same call, as search_read does."
                )
            )
        return rows

    @api.model
    def _kept_rows(self, ids):
        """Return rows that this reader may see and that hold all of these ids; None if there are none."""
        uid, is_super = self._reader()
        for _question, (reader, was_super), since, rows in reversed(self._kept()):
            may_see = reader == uid and (is_super or not was_super)
            if may_see and time.monotonic() - since < NAMED_S and rows.ids.issuperset(ids):
                return rows
        return None

    @api.model
    def _kept(self):
        return self.env.cr.cache.setdefault(_CACHE, {}).setdefault(self._name, [])

    @api.model
    def _keep(self, question, rows):
        """Keep rows for the rest of the transaction, and forget those that were used long ago."""
        kept = self._kept()
        kept.append((question, self._reader(), time.monotonic(), rows))
        while sum(len(entry[3].ids) for entry in kept) > MOST_KEPT:
            kept.pop(0)

    @api.model
    def _reader(self):
        return self.env.uid, self.env.su

    @api.model
    def _zone(self):
        name = self.env.context.get("tz") or self.env.user.tz
        return name if name in pytz.all_timezones_set else "UTC"

    @api.model
    def _devices_of(self, asked):
        """Return the routers that a domain asks for, as far as the user sees them. None means all."""
        if asked.devices is None:
            return self.env["mikrotik.device"]
        model = self.env["mikrotik.device"].with_context(active_test=False)
        return model.search(asked.devices).filtered("mtd_id")

    @api.model
    def _read_rows(self, devices, asked, zone):
        # sudo: ids of routers and companies that the user was found to see.
        places = {device.mtd_id: (device.id, device.company_id.id) for device in devices.sudo()}
        series, span_us = [], 0
        try:
            for company in devices.sudo().company_id:
                mine = devices.filtered(lambda device, company=company: device.company_id == company)
                found, span_us = self._read_series(self._source_of(company), mine.mapped("mtd_id"), asked)
                series += found
            if sum(len(one.times_us) for one in series) > MAX_ROWS:
                raise SourceError("rows")
        except SourceError as error:
            raise UserError(self._source_text(error.kind)) from error
        if not (self.env.su or self.env.user.has_group("mikrotik_monitoring.group_subscriber_data")):
            series = without_subscribers(series)
        return rows_of(series, places, zone, span_us, over_time=self._name != "mikrotik.metric.latest")

    @api.model
    def _read_series(self, source, devices, asked):
        """Return series and how long a time they tell of, in microseconds. Raises SourceError."""
        raise NotImplementedError

    @api.model
    def _source_of(self, company):
        """Return what values of a company's routers are read from."""
        connection = self.env["mikrotik.connection"]._of_company(company)
        if not connection:
            raise UserError(
                _(
                    "%s has no connection to mtd yet: an administrator sets it up under "
                    "Configuration, Connections.",
                    company.display_name,
                )
            )
        key = (self.env.cr.dbname, connection.id, connection.target)
        grpc = GrpcSource(key, partial(connection._ask, is_small=False))
        if connection.metric_source != "sql":
            return grpc
        return SqlSource(key[:2], self._dsn_of(connection), grpc)

    @api.model
    def _dsn_of(self, connection):
        try:
            return connection._folder().text(secrets.DSN)
        except OSError as error:
            _logger.warning("The login of mtd's database can't be read: %s", error.strerror)
            raise SourceError("unset") from None

    @api.model
    def _source_text(self, kind):
        """Return why a source can't answer, and what to do."""
        if kind == "rows":
            most = f"{MAX_ROWS:,}"  # not within the call: Odoo's export of texts can't read that
            return _(
                "These are more than %s values: narrow the search to fewer routers, metrics or labels, "
                "or to a shorter time.",
                most,
            )
        return {
            "unset": _("No login of mtd's database is set: an administrator sets it in the connection."),
            "unreachable": _(
                "mtd's database can't be reached, or refuses the login: check that PostgreSQL runs and the "
                "login in the connection is right, or read telemetry from mtd instead."
            ),
            "missing": _(
                "mtd's views aren't in this database: check its name in the connection, and that mtd is as "
                "new as this addon."
            ),
            "denied": _(
                "The login may not read mtd's views: run mtd.let_read for it in mtd's database, with the "
                "tenant of this company."
            ),
            "slow": _("mtd's database took too long: narrow the search, or read telemetry from mtd instead."),
        }.get(kind, _("mtd's database couldn't answer: this server's log tells more."))
