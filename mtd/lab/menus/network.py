"""Menus outside ``/system`` and ``/interface``: services, users, log, sessions, and those that other modules bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.menus.dhcp import dhcp_menus
from mtd.lab.menus.firewall import firewall_menus
from mtd.lab.menus.hosts import host_menus
from mtd.lab.menus.ip import ip_menus
from mtd.lab.menus.routing import routing_menus
from mtd.lab.menus.subscribers import subscriber_menus
from mtd.lab.personality import duration
from mtd.lab.scenario import Tls
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

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
    web = "www" if state.truth.spec.rest_tls is Tls.OFF else "www-ssl"
    rows = []
    for number, (name, port, disabled) in enumerate(_SERVICES):
        secure = name.endswith("-ssl")
        mine = name == ("api" if tls is Tls.OFF else "api-ssl")
        rest = bool(state.rest_port) and name == web
        rows.append(
            {b".id": b"*%X" % number}
            | row(
                name=name,
                port=state.port if mine else state.rest_port if rest else port,
                address="",
                certificate=_certificate(tls, ours=mine) if secure else None,
                tls_version="any" if secure else None,
                vrf="main" if state.persona.is_v7 else None,
                invalid=False,
                disabled=(disabled and not rest) or (name.startswith("api") and not mine),
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


def _groups(state: RouterState, _tick: int) -> list[Row]:
    """Return the groups of users; REST is a right of its own since there is REST."""
    every = "local,telnet,ssh,ftp,reboot,read,write,policy,test,winbox,password,web,sniff,sensitive,api,romon"
    read = "local,telnet,ssh,reboot,read,test,winbox,password,web,sniff,sensitive,api,romon"
    if state.persona.is_v7:
        every, read = f"{every},rest-api", f"{read},rest-api"
    return numbered(
        [row(name="read", policy=read, skin="default"), row(name="full", policy=every, skin="default")]
    )


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


def _interface_sessions(state: RouterState, tick: int) -> list[Row]:
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
        *host_menus(state),
        Menu("/ip/service", _services),
        Menu("/user/active", _active_users),
        Menu("/user/group", _groups),
        Menu("/log", _log),
        *subscriber_menus(state, _interface_sessions),
    ]
    return [*menus, *ip_menus(state), *routing_menus(state), *dhcp_menus(state), *firewall_menus(state)]
