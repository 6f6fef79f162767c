"""Replies that came over SNMP: fewer fields, and rows that are believed if their names agree.

An index of SNMP is taken to be the internal id of RouterOS. Where a better way
told the rows of a table before, that is checked: a row that is called otherwise
than the one with its id is refused, told of once, and counted. What a better way
told is never taken away: SNMP's fields are laid over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mtd.model.command import Reply, Rows
from mtd.model.device import Device, Severity, Way
from mtd.model.observation import Observation, StateChange
from mtd.model.values import duration, text
from mtd.plugin import metrics
from mtd.plugin.declaration import Menu, TableKind
from mtd.plugin.reboot import UPTIME_COMMAND, UPTIME_FIELD, RebootWatch
from mtd.plugin.snmp_values import ticks

Row = Mapping[str, bytes]
Table = Mapping[bytes, Row]

# TimeTicks are hundredths of a second in 32 bits: they begin again after 497 days.
_LAP_S = 2**32 / 100
_SLACK_S = 120.0


class OverSnmp:
    """What one device's tables were told to be by better ways, and what SNMP adds to it."""

    def __init__(self, device: Device, menus: Iterable[Menu] = ()) -> None:
        self._device = device
        # Things of which SNMP tells metrics: the tables that name them are what they are held against.
        self._scopes = {
            menu.scope for menu in menus if menu.snmp is not None and menu.kind is TableKind.METRICS
        }
        self._told: dict[str, tuple[Menu, Rows]] = {}  # by table: its last rows, as a better way told them
        self._tables: dict[str, Table] = {}  # the same by key; made when they are needed
        self._misnamed: dict[tuple[str, str], str] = {}  # (scope, id) -> the name that was told of

    def restore(self, menu: Menu, rows: Iterable[Mapping[str, str]]) -> None:
        """Take a table as it was before a restart of mtd, unless SNMP itself was who told it."""
        if not self._wants(menu):
            return
        given = [row for row in rows if row.get(menu.row_key)]
        told_by_snmp = menu.snmp.names() if menu.snmp is not None else frozenset()
        if any(row.keys() - told_by_snmp for row in given):
            self._told[menu.table] = (menu, Rows())
            self._tables[menu.table] = {
                row[menu.row_key].encode(): {name: value.encode() for name, value in row.items()}
                for row in given
            }

    def with_whole_uptime(self, reply: Reply, watch: RebootWatch) -> Reply:
        """Return a reply with an uptime that hasn't begun again after 497 days, as far as that can be known."""
        if reply.way is not Way.SNMP or reply.command.path != UPTIME_COMMAND.path or not reply.rows.count:
            return reply
        told, expected = duration(reply.rows.column(UPTIME_FIELD)[0]), watch.expected_s(reply.received_at)
        if told is None or expected is None:
            return reply
        whole = told + max(0, round((expected - told) / _LAP_S)) * _LAP_S
        if whole == told or abs(whole - expected) > _SLACK_S:
            return reply
        columns = dict(reply.rows.columns)
        columns[UPTIME_FIELD] = (ticks(round(whole * 100)),)
        return replace(reply, rows=Rows(1, columns))

    def rows(self, collector: str, menu: Menu, reply: Reply, rows: Rows, out: Observation) -> Rows:
        """Return the rows for a menu: over SNMP those that may be believed, with what is known of them besides."""
        if reply.way is not Way.SNMP:
            self._note(menu, rows)
            return rows
        if menu.snmp is None or not menu.row_key or menu.keyed_by_name:
            return rows
        if menu.kind is TableKind.CURRENT_STATE:
            known = self._known(menu.table)
            return rows if known is None else self._laid_over(menu, collector, known, rows, out)
        if menu.kind is not TableKind.METRICS:
            return rows
        known = self._known_of(menu.scope)
        if known is None:
            return rows
        told = rows.dicts()
        kept = [row for row in told if self._believed(menu, collector, known, row, out)]
        return rows if len(kept) == len(told) else _rows_of(kept, rows.columns)

    # -- what is known ---------------------------------------------------------

    def _note(self, menu: Menu, rows: Rows) -> None:
        """Take the rows of a table that another way told: those that SNMP's are held against."""
        if self._wants(menu):
            self._told[menu.table] = (menu, rows)
            self._tables.pop(menu.table, None)

    def _wants(self, menu: Menu) -> bool:
        if menu.kind is not TableKind.CURRENT_STATE or not menu.row_key:
            return False
        return menu.snmp is not None or (menu.labels is not None and menu.scope in self._scopes)

    def _known(self, table: str) -> Table | None:
        """Return the rows of a table by their ids; None if no better way told it."""
        if table not in self._told:
            return None
        if table not in self._tables:
            menu, rows = self._told[table]
            self._tables[table] = {row[menu.row_key]: row for row in rows.dicts() if menu.row_key in row}
        return self._tables[table]

    def _known_of(self, scope: str) -> Table | None:
        """Return the rows of the table that labels a scope."""
        for table, (menu, _) in self._told.items():
            if menu.scope == scope and menu.labels is not None:
                return self._known(table)
        return None

    # -- what is believed ------------------------------------------------------

    def _laid_over(self, menu: Menu, collector: str, known: Table, rows: Rows, out: Observation) -> Rows:
        told = {row[menu.row_key]: row for row in rows.dicts() if menu.row_key in row}
        believed = {key for key, row in told.items() if self._believed(menu, collector, known, row, out)}
        laid = [dict(row) | (told[key] if key in believed else {}) for key, row in known.items()]
        return _rows_of(laid, dict.fromkeys(name for row in laid for name in row))

    def _believed(self, menu: Menu, collector: str, known: Table, row: Row, out: Observation) -> bool:
        """Whether a row is that which is known by its id. One that isn't known may be a session's: nobody says."""
        key = row.get(menu.row_key)
        whole = known.get(key) if key is not None else None
        if key is None or whole is None:
            metrics.SNMP_ROWS_REFUSED.labels(collector, "unknown").inc()
            return False
        assert menu.snmp is not None
        name = menu.snmp.name
        if not name:
            return True
        page = self._device.code_page
        place = (menu.scope, text(key, page))
        was, now = text(whole.get(name, b""), page), text(row.get(name, b""), page)
        if was == now:
            if self._misnamed.pop(place, None) is not None:
                out.state_changes.append(self._event(place, was, now))
            return True
        metrics.SNMP_ROWS_REFUSED.labels(collector, "misnamed").inc()
        if self._misnamed.get(place) != now:
            self._misnamed[place] = now
            out.state_changes.append(self._event(place, was, now))
        return False

    def _event(self, place: tuple[str, str], was: str, now: str) -> StateChange:
        scope, key = place
        differs = was != now
        message = (
            f"SNMP calls {scope} {key} {now or 'nothing'}, but it is known as {was}: what it tells of it isn't used "
            "until the API or REST tells what it is"
            if differs
            else f"SNMP calls {scope} {key} {now}, as it is known: it is used again"
        )
        return StateChange(
            event_type="device.snmp_row.misnamed" if differs else "device.snmp_row.named",
            severity=Severity.WARNING if differs else Severity.INFO,
            entity_type=scope,
            entity_id=key,
            entity_label=was,
            field="name",
            old=was,
            new=now,
            message=message,
        )


def fed(menu: Menu, reply: Reply) -> bool:
    """Whether a reply is for a menu: others may read the same path, of which SNMP can't tell enough."""
    return reply.way is not Way.SNMP or menu.snmp is not None


def _rows_of(rows: Sequence[Row], names: Iterable[str]) -> Rows:
    return Rows(len(rows), {name: tuple(row.get(name) for row in rows) for name in names})
