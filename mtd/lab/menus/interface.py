"""``/interface`` and what is below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mtd.lab.curves import COLUMN, COUNTERS, WIDTH
from mtd.lab.menus.base import CommandError, Menu, Row, row, text
from mtd.lab.menus.layer2 import layer2_menus, poe_out, wire_errors
from mtd.lab.scenario import Fault, FaultKind

if TYPE_CHECKING:
    from mtd.lab.hardware import Interface
    from mtd.lab.state import RouterState
    from mtd.lab.timeline import Segment

_RATE_TICKS = 1000
_COUNTER_KEYS = {name.encode(): column for name, column in COLUMN.items()}

# In place of a counter's text: its column in the truth.
Cell = bytes | int


def cells(state: RouterState, segment: Segment, item: Interface) -> Iterator[tuple[bytes, Cell]]:
    """Return the properties of an interface in the router's order.

    What doesn't change within the segment is text; counters are given as
    their column.
    """
    v7 = state.persona.is_v7
    name, comment = state.truth.label(segment, item)
    yield b".id", text(item.id)
    yield b"name", text(name)
    if item.default_name:
        yield b"default-name", text(item.default_name)
    yield b"type", text(item.type)
    yield b"mtu", text(item.mtu)
    yield b"actual-mtu", text(item.mtu)
    if item.l2mtu:
        yield b"l2mtu", text(item.l2mtu)
    if item.mac_address:
        yield b"mac-address", text(item.mac_address)
    if item.index in segment.down_since:
        yield b"last-link-down-time", text(state.date_time(segment.down_since[item.index]))
    if item.connected:
        since = segment.up_since.get(item.index, segment.booted)
        yield b"last-link-up-time", text(state.date_time(since))
    yield b"link-downs", COLUMN["link-downs"]
    for counter in COUNTERS[:-1]:
        if not (item.dynamic and counter.startswith("fp-")):
            yield counter.encode(), COLUMN[counter]
    if not v7:
        yield b"fast-path", text(item.type in ("ether", "bridge", "vlan"))
    if item.dynamic:
        yield b"dynamic", b"true"
    yield b"running", text(segment.running[item.index])
    if item.slave:
        yield b"slave", b"true"
    yield b"disabled", text(item.disabled)
    if comment:
        yield b"comment", comment


def interface_rows(state: RouterState, tick: int) -> list[Row]:
    """Return whole rows, with counters of the tick."""
    segment = state.truth.segment(tick)
    values = segment.curves.at(tick).tolist()
    return [
        {
            key: b"%d" % values[item.index * WIDTH + cell] if isinstance(cell, int) else cell
            for key, cell in cells(state, segment, item)
        }
        for item in state.truth.shown(segment)
    ]


def is_counter(key: bytes) -> bool:
    """Whether a property changes from tick to tick."""
    return key in _COUNTER_KEYS


def _ethernet_rows(state: RouterState, tick: int) -> list[Row]:
    segment = state.truth.segment(tick)
    rows = []
    for item in state.truth.shown(segment):
        if item.type != "ether":
            continue
        name, comment = state.truth.label(segment, item)
        rows.append(
            row(
                **{".id": item.id},
                name=name,
                default_name=item.default_name,
                mtu=item.mtu,
                l2mtu=item.l2mtu,
                mac_address=item.mac_address,
                orig_mac_address=item.mac_address,
                arp="enabled",
                auto_negotiation=True,
                full_duplex=True,
                speed=_rate(item.speed_bps),
                running=segment.running[item.index],
                slave=item.slave or None,
                disabled=item.disabled,
                comment=comment or None,
                poe_out=poe_out(item),
            )
            | wire_errors(state, tick, item)
        )
    return rows


def _rate(speed_bps: int) -> str:
    gigabits = speed_bps // 1_000_000_000
    return f"{gigabits}Gbps" if gigabits else f"{speed_bps // 1_000_000}Mbps"


def _named(state: RouterState, tick: int, arguments: Mapping[bytes, bytes], *keys: bytes) -> list[Interface]:
    """Return the interfaces that a command names by id or name."""
    wanted = b",".join(arguments[key] for key in keys if key in arguments)
    if not wanted:
        raise CommandError("missing =numbers=" if b"numbers" in keys else "no such item")
    segment = state.truth.segment(tick)
    found = {}
    for item in state.truth.shown(segment):
        name, _ = state.truth.label(segment, item)
        found[text(item.id)] = found[text(name)] = item
    missing = [name for name in wanted.split(b",") if name not in found]
    if missing:
        raise CommandError(b"input does not match any value of interface", 0)
    return [found[name] for name in wanted.split(b",")]


def _monitor_ethernet(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    segment = state.truth.segment(tick)
    rows = []
    for item in _named(state, tick, arguments, b"numbers", b".id"):
        name, _ = state.truth.label(segment, item)
        up = segment.running[item.index]
        content = row(
            name=name,
            status="link-ok" if up else "no-link",
            auto_negotiation="done" if up else "incomplete",
            rate=_rate(item.speed_bps) if up else None,
            full_duplex=True if up else None,
            tx_flow_control=False if up else None,
            rx_flow_control=False if up else None,
        )
        if item.name.startswith("sfp"):
            content |= _sfp(state, tick, item)
        rows.append(content)
    return rows


def _sfp(state: RouterState, tick: int, item: Interface) -> Row:
    """Return what the module tells; its readings drift with the load curve."""
    drift = int(state.truth.wave.height[tick % state.truth.wave.period])
    if not item.connected:
        return row(sfp_module_present=False)
    return row(
        sfp_module_present=True,
        sfp_rx_loss=False,
        sfp_tx_fault=False,
        sfp_type="SFP-or-SFP+",
        sfp_connector_type="LC",
        sfp_vendor_name="Lab Optics",
        sfp_vendor_part_number="LO-SFP10G-LR",
        sfp_wavelength=1310,
        sfp_temperature=41 + drift // 64,
        sfp_supply_voltage=f"3.{300 + drift // 16:03}",
        sfp_tx_bias_current=30 + drift // 128,
        sfp_tx_power=f"-2.{250 + drift // 8:03}",
        sfp_rx_power=f"-6.{400 + drift:03}",
        eeprom_checksum="good",
    )


def _monitor_traffic(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    segment = state.truth.segment(tick)
    rows = []
    for item in _named(state, tick, arguments, b"interface", b"numbers"):
        name, _ = state.truth.label(segment, item)
        content = row(name=name)
        for way in ("rx", "tx"):
            for prop, unit, factor in (("packet", "packets", 1), ("byte", "bits", 8)):
                rate = state.truth.true_rate(item.id, f"{way}-{prop}", tick - _RATE_TICKS, tick) or 0.0
                content[f"{way}-{unit}-per-second".encode()] = text(int(rate * factor))
        rows.append(content)
    return rows


def _set(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    unknown = [key for key in arguments if key not in (b".id", b"numbers", b"name", b"comment")]
    if unknown:
        raise CommandError(b"unknown parameter " + unknown[0])
    hit = [item.id for item in _named(state, tick, arguments, b".id", b"numbers")]
    new = {
        key: arguments[key.encode()].decode("utf-8", "surrogateescape")
        for key in ("name", "comment")
        if key.encode() in arguments
    }
    state.inject(
        Fault(kind=FaultKind.RENAME, interfaces=hit, name=new.get("name"), comment=new.get("comment"))
    )
    state.write_history(tick, "device changed")
    return []


def interface_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    return [
        Menu("/interface", interface_rows, {"set": _set}, {"monitor-traffic": _monitor_traffic}),
        Menu("/interface/ethernet", _ethernet_rows, {}, {"monitor": _monitor_ethernet}),
        *layer2_menus(state),
    ]
