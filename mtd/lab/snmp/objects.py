"""The objects of one router at a tick: its interfaces, its resources, its sensors and itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtd.lab.menus.base import Row
from mtd.lab.snmp.wire import Oid, Pair, Tag, Value

if TYPE_CHECKING:
    from mtd.lab.console import Console
    from mtd.lab.state import RouterState

_MIB2: Oid = (1, 3, 6, 1, 2, 1)
_SYSTEM = (*_MIB2, 1)
_IF_NUMBER = (*_MIB2, 2, 1, 0)
_IF = (*_MIB2, 2, 2, 1)
_HOST = (*_MIB2, 25)
_IFX = (*_MIB2, 31, 1, 1, 1)
_MIKROTIK: Oid = (1, 3, 6, 1, 4, 1, 14988)
_ROUTEROS = (*_MIKROTIK, 1, 1)
_HEALTH = (*_ROUTEROS, 3)
_GAUGES = (*_HEALTH, 100, 1)
_STATS = (*_ROUTEROS, 14, 1, 1)
_POE = (*_ROUTEROS, 15, 1, 1)
_OPTICAL = (*_ROUTEROS, 19, 1, 1)
_CONNECTIONS = (*_ROUTEROS, 22, 1, 1, 0)
_CONNECTIONS_SINCE = (7, 20)

_MEMORY, _DISK = 65_536, 131_072
_UNIT = 1024
_LOW32 = (1 << 32) - 1
_IF_TYPES = {b"ether": 6, b"vlan": 135, b"bridge": 209, b"bond": 161, b"pppoe-in": 23}
_OTHER = 1
_POE_STATUS = {b"waiting-for-load": 2, b"powered-on": 3}
# Unit of a gauge by the type that the API shows: (number, its value in tenths).
_UNITS = {b"C": (1, False), b"RPM": (2, False), b"V": (3, True), b"A": (4, True), b"W": (5, True)}


def objects(state: RouterState, console: Console, tick: int) -> list[Pair]:
    """Return all objects, in the order of their names."""
    found = [
        *_system(state, console, tick),
        *_resources(state, console, tick),
        *_health(state, console, tick),
        *_interfaces(console, state, tick),
        *_powered_ports(console, state, tick),
        *_connections(console, state, tick),
    ]
    return sorted(found, key=lambda pair: pair[0])


def _rows(console: Console, state: RouterState, path: str, tick: int) -> list[Row]:
    menu = console.menus.get(path)
    return menu.rows(state, tick) if menu is not None else []


def _text(content: bytes) -> Value:
    return Value(Tag.OCTETS, content)


def _whole(number: int, tag: Tag = Tag.INTEGER) -> Value:
    return Value(tag, number)


def _system(state: RouterState, console: Console, tick: int) -> Iterator[Pair]:
    uptime = _whole(state.truth.resource(tick).uptime_s * 100 & _LOW32, Tag.TICKS)
    board = state.truth.board
    yield (*_SYSTEM, 1, 0), _text(f"RouterOS {board.name}".encode())
    yield (*_SYSTEM, 2, 0), Value(Tag.OID, (*_MIKROTIK, 1))
    yield (*_SYSTEM, 3, 0), uptime
    yield (*_SYSTEM, 5, 0), _text(state.identity.encode())
    yield (*_HOST, 1, 1, 0), uptime
    yield (*_ROUTEROS, 4, 4, 0), _text(state.persona.plain_version.encode())
    for row in _rows(console, state, "/system/routerboard", tick):
        yield (*_ROUTEROS, 7, 3, 0), _text(row[b"serial-number"])
        yield (*_ROUTEROS, 7, 4, 0), _text(row[b"current-firmware"])


def _resources(state: RouterState, console: Console, tick: int) -> Iterator[Pair]:
    [row] = _rows(console, state, "/system/resource", tick)
    yield from _storage(_MEMORY, b"main memory", int(row[b"total-memory"]), int(row[b"free-memory"]))
    yield from _storage(_DISK, b"system disk", int(row[b"total-hdd-space"]), int(row[b"free-hdd-space"]))
    yield (*_HEALTH, 14, 0), _whole(int(row[b"cpu-frequency"]))
    for number, core in enumerate(_rows(console, state, "/system/resource/cpu", tick), start=1):
        yield (*_HOST, 3, 3, 1, 2, number), _whole(int(core[b"load"]))


def _storage(index: int, name: bytes, total: int, free: int) -> Iterator[Pair]:
    size = total // _UNIT
    values = {3: _text(name), 4: _whole(_UNIT), 5: _whole(size), 6: _whole(size - free // _UNIT)}
    for column, value in values.items():
        yield (*_HOST, 2, 3, 1, column, index), value


def _health(state: RouterState, console: Console, tick: int) -> Iterator[Pair]:
    rows = _rows(console, state, "/system/health", tick)
    if not state.persona.is_v7:
        for row in rows:
            yield (*_HEALTH, 8, 0), _whole(round(float(row[b"voltage"]) * 10))
            yield (*_HEALTH, 10, 0), _whole(round(float(row[b"temperature"]) * 10))
        return
    for row in rows:
        unit = _UNITS.get(row[b"type"])
        if unit is None:
            continue
        number, in_tenths = unit
        value = float(row[b"value"])
        index = int(row[b".id"][1:], 16)
        yield (*_GAUGES, 2, index), _text(row[b"name"])
        yield (*_GAUGES, 3, index), _whole(round(value * 10 if in_tenths else value))
        yield (*_GAUGES, 4, index), _whole(number)


def _interfaces(console: Console, state: RouterState, tick: int) -> Iterator[Pair]:
    rows = _rows(console, state, "/interface", tick)
    speeds = {item.id.encode(): item.speed_bps for item in state.truth.all_interfaces}
    yield _IF_NUMBER, _whole(len(rows))
    for row in rows:
        index = int(row[b".id"][1:], 16)
        running = row[b"running"] == b"true"
        speed = speeds.get(row[b".id"], 0) if running else 0
        for column, value in _if_entry(row, index, running=running).items():
            yield (*_IF, column, index), value
        for column, value in _ifx_entry(row, speed).items():
            yield (*_IFX, column, index), value
        yield (*_STATS, 2, index), _text(row[b"name"])
        yield (*_STATS, 90, index), _whole(int(row[b"link-downs"]) & _LOW32, Tag.COUNTER32)
    yield from _modules(console, state, tick, rows)


def _if_entry(row: Row, index: int, *, running: bool) -> dict[int, Value]:
    def counter(name: bytes) -> Value:
        return _whole(int(row.get(name, b"0")) & _LOW32, Tag.COUNTER32)

    return {
        1: _whole(index),
        2: _text(row[b"name"]),
        3: _whole(_IF_TYPES.get(row[b"type"], _OTHER)),
        4: _whole(int(row[b"actual-mtu"])),
        6: _text(bytes.fromhex(row.get(b"mac-address", b"").decode().replace(":", ""))),
        7: _whole(2 if row[b"disabled"] == b"true" else 1),
        8: _whole(1 if running else 2),
        10: counter(b"rx-byte"),
        13: counter(b"rx-drop"),
        14: counter(b"rx-error"),
        16: counter(b"tx-byte"),
        19: counter(b"tx-drop"),
        20: counter(b"tx-error"),
    }


def _ifx_entry(row: Row, speed_bps: int) -> dict[int, Value]:
    def counter(name: bytes) -> Value:
        return _whole(int(row[name]), Tag.COUNTER64)

    none = _whole(0, Tag.COUNTER64)
    return {
        1: _text(row[b"name"]),
        6: counter(b"rx-byte"),
        7: counter(b"rx-packet"),
        8: none,
        9: none,
        10: counter(b"tx-byte"),
        11: counter(b"tx-packet"),
        12: none,
        13: none,
        15: _whole(speed_bps // 1_000_000, Tag.GAUGE32),
        18: _text(row.get(b"comment", b"")),
    }


def _modules(console: Console, state: RouterState, tick: int, rows: list[Row]) -> Iterator[Pair]:
    """Yield the readings of optical modules: where the API's monitor has them."""
    monitor = console.menus["/interface/ethernet"].monitors["monitor"]
    ids = {row[b"name"]: row[b".id"] for row in rows if row[b"name"].startswith(b"sfp")}
    if not ids:
        return
    for told in monitor(state, tick, {b"numbers": b",".join(ids.values())}):
        if b"sfp-supply-voltage" not in told:
            continue
        index = int(ids[told[b"name"]][1:], 16)
        values = {
            2: _text(told[b"name"]),
            6: _whole(int(told[b"sfp-temperature"]), Tag.GAUGE32),
            7: _whole(_thousandths(told[b"sfp-supply-voltage"]), Tag.GAUGE32),
            8: _whole(int(told[b"sfp-tx-bias-current"]), Tag.GAUGE32),
            9: _whole(_thousandths(told[b"sfp-tx-power"])),
            10: _whole(_thousandths(told[b"sfp-rx-power"])),
        }
        for column, value in values.items():
            yield (*_OPTICAL, column, index), value


def _powered_ports(console: Console, state: RouterState, tick: int) -> Iterator[Pair]:
    """Yield what the ports feed that can, as the API's monitor tells it."""
    menu = console.menus.get("/interface/ethernet/poe")
    ids = {row[b"name"]: row[b".id"] for row in menu.rows(state, tick)} if menu is not None else {}
    if menu is None or not ids:
        return
    for told in menu.monitors["monitor"](state, tick, {b"numbers": b",".join(ids.values())}):
        index = int(ids[told[b"name"]][1:], 16)
        yield (*_POE, 2, index), _text(told[b"name"])
        yield (*_POE, 3, index), _whole(_POE_STATUS[told[b"poe-out-status"]])
        yield (*_POE, 4, index), _whole(round(float(told.get(b"poe-out-voltage", b"0")) * 10))
        yield (*_POE, 5, index), _whole(int(told.get(b"poe-out-current", b"0")))
        yield (*_POE, 6, index), _whole(round(float(told.get(b"poe-out-power", b"0")) * 10))


def _connections(console: Console, state: RouterState, tick: int) -> Iterator[Pair]:
    if state.persona.version < _CONNECTIONS_SINCE:
        return
    for row in _rows(console, state, "/ip/firewall/connection/tracking", tick):
        if b"total-entries" in row:
            yield _CONNECTIONS, _whole(int(row[b"total-entries"]), Tag.COUNTER32)


def _thousandths(written: bytes) -> int:
    return round(float(written) * 1000)
