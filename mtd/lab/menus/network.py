"""Menus outside ``/system`` and ``/interface``: services, users, log, routes, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, nothing, numbered, row
from mtd.lab.personality import duration
from mtd.lab.scenario import Tls
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

# A router of an access network: a default route, one per VLAN, and what a peer announces.
_LEARNED_ROUTES = 400
_SERVICES = (
    ("telnet", 23, True),
    ("ftp", 21, True),
    ("www", 80, True),
    ("ssh", 22, False),
    ("www-ssl", 443, True),
    ("api", 8728, False),
    ("winbox", 8291, False),
    ("api-ssl", 8729, False),
)


def _services(state: RouterState, _tick: int) -> list[Row]:
    tls = state.truth.spec.tls
    rows = []
    for number, (name, port, disabled) in enumerate(_SERVICES):
        secure = name.endswith("-ssl")
        mine = name == ("api" if tls is Tls.OFF else "api-ssl")
        rows.append(
            {b".id": b"*%X" % number}
            | row(
                name=name,
                port=state.port if mine else port,
                address="",
                certificate=_certificate(tls, ours=mine) if secure else None,
                tls_version="any" if secure else None,
                vrf="main" if state.persona.is_v7 else None,
                invalid=False,
                disabled=disabled or (name.startswith("api") and not mine),
            )
        )
    return rows


def _certificate(tls: Tls, *, ours: bool) -> str:
    return "lab" if ours and tls in (Tls.CA, Tls.SELF_SIGNED) else "none"


def _active_users(state: RouterState, _tick: int) -> list[Row]:
    return [
        {b".id": b"*%X" % user.number}
        | row(
            when=state.date_time(user.since_tick),
            name=user.name,
            address=user.address,
            via="api",
            group="full",
            radius=False,
        )
        for user in state.users.values()
    ]


def _log(state: RouterState, tick: int) -> list[Row]:
    today = state.wall(tick).date()
    rows = []
    for entry in state.log:
        when = state.wall(entry.tick)
        time = f"{when:%H:%M:%S}" if when.date() == today else state.date_time(entry.tick)
        rows.append(
            {b".id": b"*%X" % entry.number} | row(time=time, topics=entry.topics, message=entry.message)
        )
    return rows


def _addresses(state: RouterState, tick: int) -> list[Row]:
    segment = state.truth.segment(tick)
    rows = []
    for item in state.truth.shown(segment):
        if item.type in ("vlan", "bridge") or item.index == 0:
            name, _ = state.truth.label(segment, item)
            second, third = divmod(item.index, 250)
            rows.append(
                row(
                    address=f"10.{second}.{third}.1/24",
                    network=f"10.{second}.{third}.0",
                    interface=name,
                    actual_interface=name,
                    invalid=False,
                    dynamic=False,
                    disabled=item.disabled,
                )
            )
    return numbered(rows)


def _routes(state: RouterState, tick: int) -> list[Row]:
    rows = [row(dst_address="0.0.0.0/0", gateway="10.0.0.254", distance=1, active=True, static=True)]
    rows += [
        row(
            dst_address=content[b"network"] + b"/24",
            gateway=content[b"interface"],
            distance=0,
            active=True,
            connect=True,
        )
        for content in _addresses(state, tick)
    ]
    for number in range(_LEARNED_ROUTES):
        high, low = divmod(mix(state.truth.key, number) % 65_536, 256)
        rows.append(
            row(
                dst_address=f"172.{16 + high % 16}.{low}.0/24", gateway="10.0.0.254", distance=20, active=True
            )
        )
    return numbered(rows)


def _ppp_active(state: RouterState, tick: int) -> list[Row]:
    segment = state.truth.segment(tick)
    rows = []
    for item in state.truth.shown(segment):
        if not item.dynamic:
            continue
        age = (tick - segment.booted) // TICKS_PER_S - mix(state.truth.key, item.index) % 3000
        host, number = divmod(item.index, 250)
        rows.append(
            row(
                name=item.name[7:-1],
                service="pppoe",
                caller_id=f"D0:D0:4B:{item.index >> 16:02X}:{item.index >> 8 & 255:02X}:{item.index & 255:02X}",
                address=f"100.64.{host}.{number}",
                uptime=duration(max(1, age)),
                encoding="",
                session_id=f"0x{0x81100000 + item.index:X}",
                limit_bytes_in=0,
                limit_bytes_out=0,
                radius=False,
            )
        )
    return numbered(rows)


def network_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    menus = [
        Menu("/ip/service", _services),
        Menu("/ip/address", _addresses),
        Menu("/ip/route", _routes),
        Menu("/ip/arp", nothing),
        Menu("/ip/neighbor", nothing),
        Menu("/ip/dhcp-server/lease", nothing),
        Menu("/user/active", _active_users),
        Menu("/log", _log),
        Menu("/ppp/active", _ppp_active),
    ]
    if state.persona.is_v7:
        paths = ("/routing/bgp/connection", "/routing/bgp/session", "/routing/table")
    else:
        paths = ("/routing/bgp/instance", "/routing/bgp/peer", "/routing/bgp/advertisements")
    return menus + [Menu(path, nothing) for path in paths]
