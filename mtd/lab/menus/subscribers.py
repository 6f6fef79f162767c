"""Who uses a concentrator: ``/ppp/active`` and ``/ip/dhcp-server/lease``."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, cast

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, row
from mtd.lab.menus.ready import Moments, ReadyTable
from mtd.lab.personality import duration
from mtd.lab.subscribers import LEASE_S, Lease, Session, Subscribers, last_seen_s

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_UPTIME, _EXPIRES, _SEEN, _AGE = b"uptime", b"expires-after", b"last-seen", b"age"


def subscriber_menus(
    state: RouterState, other_sessions: Callable[[RouterState, int], list[Row]]
) -> list[Menu]:
    """Return the two menus. ``other_sessions`` are those that have interfaces of their own."""
    found = state.truth.subscribers
    leases = _lease_table(found, is_v7=state.persona.is_v7)
    keys = tuple(_session(Session("", "", "", "", "", 0))[0])
    sessions = ReadyTable(
        found.session_churn, keys, lambda *who: _session(found.session(*who)), {_UPTIME: _age}
    )

    def active(state: RouterState, tick: int) -> list[Row]:
        return other_sessions(state, tick) + _filled(sessions, tick)

    menus = [
        Menu("/ppp/active", active),
        Menu("/ip/dhcp-server/lease", lambda _, tick: _filled(leases, tick), ready=leases),
    ]
    if not state.truth.spec.pppoe:
        menus[0].ready = sessions
    return menus


def _filled(table: ReadyTable, tick: int) -> list[Row]:
    """Return whole rows, for whoever asks in another way."""
    rows = []
    for place, generation in table.churn.holders(tick):
        content, moments = table.holder(place, generation)
        for key, age in table.ages.items():
            if key in moments:
                content[key] = duration(age(moments[key], tick // TICKS_PER_S)).encode()
            else:
                content.pop(key, None)
        rows.append(content)
    return rows


def _session(session: Session) -> tuple[Row, Moments]:
    content = {b".id": session.id.encode()} | row(
        name=session.name,
        service="pppoe",
        caller_id=session.caller_id,
        address=session.address,
        uptime="",
        encoding="",
        session_id=session.session_id,
        limit_bytes_in=0,
        limit_bytes_out=0,
        radius=True,
    )
    return content, {_UPTIME: session.since_s}


def _lease_table(found: Subscribers, *, is_v7: bool) -> ReadyTable:
    ages = {_EXPIRES: lambda moment, now: LEASE_S - _seen(moment, now), _SEEN: _seen}
    if is_v7:
        ages[_AGE] = lambda moment, now: _age(cast("tuple[int, bool]", moment)[0], now)

    def holder(place: int, generation: int) -> tuple[Row, Moments]:
        lease = found.lease(place, generation)
        moment = (lease.since_s, lease.bound)
        keys = ages if lease.bound else (_SEEN,)
        return _lease(lease, is_v7=is_v7), dict.fromkeys(keys, moment)

    whole = Lease("", "", "", "name", "", bound=True, since_s=0)
    return ReadyTable(found.lease_churn, tuple(_lease(whole, is_v7=is_v7)), holder, ages)


def _age(since_s: Hashable, now_s: int) -> int:
    return max(1, now_s - cast("int", since_s))


def _seen(moment: Hashable, now_s: int) -> int:
    since_s, bound = cast("tuple[int, bool]", moment)
    return last_seen_s(since_s, now_s) if bound else _age(since_s, now_s)


def _lease(lease: Lease, *, is_v7: bool) -> Row:
    client = f"1:{lease.mac_address.lower()}"
    bound = lease.bound
    return {b".id": lease.id.encode()} | row(
        address=lease.address,
        mac_address=lease.mac_address,
        client_id=client,
        address_lists="",
        server=lease.server,
        dhcp_option="",
        status="bound" if bound else "waiting",
        expires_after="",
        last_seen="",
        age="" if is_v7 else None,
        active_address=lease.address if bound else None,
        active_mac_address=lease.mac_address if bound else None,
        active_client_id=client if bound else None,
        active_server=lease.server if bound else None,
        host_name=(lease.host_name or None) if bound else None,
        radius=False,
        dynamic=bound,
        blocked=False,
        disabled=False,
    )
