"""LTE modems: ``/interface/lte``, and what its ``monitor`` or, before version 7, its ``info`` tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import CommandError, Menu, Row, row
from mtd.lab.meters import reading
from mtd.lab.personality import duration
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_FIRST_ID = 0xC00001
_OPERATOR = "LABNET"
# A modem changes its cell this often.
CELL_S = 300


def _modems(state: RouterState, _tick: int) -> list[Row]:
    return [
        {b".id": f"*{_FIRST_ID + number:X}".encode()}
        | row(
            name=f"lte{number + 1}",
            default_name=f"lte{number + 1}",
            mtu=1500,
            apn_profiles="default",
            network_mode="3g,lte,5g" if _has_5g(number) else "3g,lte",
            band="",
            allow_roaming=False,
            running=True,
            inactive=False if state.persona.is_v7 else None,
            disabled=False,
        )
        for number in range(state.truth.spec.modems)
    ]


def _has_5g(number: int) -> bool:
    return number % 2 == 1


def cell_of(state: RouterState, number: int, tick: int) -> int:
    """Return the cell that a modem is in."""
    return 195_000_000 + mix(state.truth.key, 30, number, tick // (CELL_S * TICKS_PER_S)) % 1_000_000


def _readings(state: RouterState, number: int, tick: int) -> Row:
    """Return the signal. The API gives numbers; the units are the console's."""
    truth, luck = state.truth, mix(state.truth.key, 31, number)
    found = row(
        rssi=reading(truth, luck, -60 - luck % 20, 4, tick),
        rsrp=reading(truth, luck + 1, -90 - luck % 20, 5, tick),
        rsrq=reading(truth, luck + 2, -10, 3, tick),
        sinr=reading(truth, luck + 3, 14, 8, tick),
    )
    if _has_5g(number):
        found |= row(
            nr_rsrp=reading(truth, luck + 4, -95, 5, tick),
            nr_rsrq=reading(truth, luck + 5, -11, 2, tick),
            nr_sinr=reading(truth, luck + 6, 17, 6, tick),
        )
    return found


def _monitor(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    """Return readings without names, in the order of the numbers."""
    known = {}
    for number in range(state.truth.spec.modems):
        known[f"*{_FIRST_ID + number:X}"] = known[f"lte{number + 1}"] = number
    given = arguments.get(b"numbers", arguments.get(b"number", arguments.get(b".id", b"")))
    wanted = given.decode("latin-1").split(",")
    if not all(name in known for name in wanted):
        raise CommandError("no such item", 0)
    return [_row(state, known[name], tick) for name in wanted]


def _row(state: RouterState, number: int, tick: int) -> Row:
    v7 = state.persona.is_v7
    up_s = (tick - state.truth.segment(tick).booted) // TICKS_PER_S
    cell = cell_of(state, number, tick)
    found = row(
        status="connected" if v7 else None,
        pin_status="ok",
        registration_status="registered",
        functionality="full",
        manufacturer="Lab",
        model="LAB-LTE6",
        revision="LAB_1.0",
        current_operator=_OPERATOR,
        lac=7652,
        current_cellid=cell,
        enb_id=cell >> 8,
        sector_id=cell & 255,
        phy_cellid=cell % 504,
        access_technology="LTE" if v7 else "Evolved 3G (LTE)",
        session_uptime=duration(max(1, up_s - 30)),
        imei=f"{mix(state.truth.key, 32, number) % 10**15:015}",
        imsi=f"{mix(state.truth.key, 33, number) % 10**15:015}",
        primary_band="B3@20Mhz earfcn: 1300 phy-cellid: 1" if v7 else None,
        earfcn=None if v7 else "1300 (band 3, bandwidth 20Mhz)",
        cqi=reading(state.truth, 70 + number, 10, 4, tick),
    )
    return found | _readings(state, number, tick)


def lte_menus(state: RouterState) -> list[Menu]:
    """Return the menu; version 6 called the command otherwise."""
    return [Menu("/interface/lte", _modems, {}, {"monitor" if state.persona.is_v7 else "info": _monitor})]
