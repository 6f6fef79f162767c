"""``/system``."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.lab.menus.base import Menu, Row, numbered, row, text
from mtd.lab.personality import duration
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_BUILD_TIME = datetime.datetime(2023, 8, 1, 8, 13, 57, tzinfo=datetime.UTC)
_BUILD_TIME_V7 = datetime.datetime(2024, 11, 26, 12, 9, 40, tzinfo=datetime.UTC)


def _resource(state: RouterState, tick: int) -> list[Row]:
    now, board = state.truth.resource(tick), state.truth.board
    written = now.uptime_s // 11
    return [
        {
            b"uptime": text(duration(now.uptime_s)),
            b"version": text(state.persona.version_text),
            b"build-time": text(_build_time(state)),
            b"factory-software": b"6.48.6",
            b"free-memory": text(now.free_memory_bytes),
            b"total-memory": text(now.total_memory_bytes),
            b"cpu": text(board.cpu),
            b"cpu-count": text(board.cpu_count),
            b"cpu-frequency": text(board.cpu_mhz),
            b"cpu-load": text(now.cpu_load_pct),
            b"free-hdd-space": text(board.disk_bytes * 3 // 5),
            b"total-hdd-space": text(board.disk_bytes),
            b"write-sect-since-reboot": text(written),
            b"write-sect-total": text(1_491_420 + written),
            b"bad-blocks": b"0",
            b"architecture-name": text(board.architecture),
            b"board-name": text(board.name),
            b"platform": b"MikroTik",
        }
    ]


def _build_time(state: RouterState) -> str:
    return state.persona.build_time(_BUILD_TIME_V7 if state.persona.iso_dates else _BUILD_TIME)


def _cpu(state: RouterState, tick: int) -> list[Row]:
    load = state.truth.resource(tick).cpu_load_pct
    rows = []
    for core in range(state.truth.board.cpu_count):
        off = mix(state.truth.key, core, tick // 1000) % 7 - 3
        rows.append(
            {b".id": b"*%X" % core}
            | row(cpu=f"cpu{core}", load=min(100, max(0, load + off)), irq=load // 8, disk=0)
        )
    return rows


def _identity(state: RouterState, _tick: int) -> list[Row]:
    return [row(name=state.identity)]


def _set_identity(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    state.write_history(tick, "identity changed")
    state.identity = arguments.get(b"name", state.identity.encode()).decode("utf-8", "replace")
    return []


def _routerboard(state: RouterState, _tick: int) -> list[Row]:
    version = state.persona.plain_version
    return [
        row(
            routerboard=True,
            board_name=state.truth.board.name if not state.persona.is_v7 else None,
            model=state.truth.board.name,
            revision="r2",
            serial_number=_serial(state),
            firmware_type=state.truth.board.firmware_type,
            factory_firmware="6.48.6",
            current_firmware=version,
            upgrade_firmware=version,
        )
    ]


def _serial(state: RouterState) -> str:
    return f"{mix(state.truth.key, 7) % 16**11:011X}"


def _package(state: RouterState, _tick: int) -> list[Row]:
    if state.persona.is_v7:
        names = ["routeros", "wireless"] if state.persona.has_wifi else ["routeros"]
    else:
        names = ["routeros", "system", "dhcp", "ppp", "routing", "security", "wireless"]
    version, built = state.persona.plain_version, _build_time(state)
    return numbered(
        [row(name=name, version=version, build_time=built, scheduled="", disabled=False) for name in names]
    )


def _health(state: RouterState, tick: int) -> list[Row]:
    now = state.truth.sensors(tick)
    volts = f"{now.decivolts // 10}.{now.decivolts % 10}"
    if not state.persona.is_v7:
        return [row(voltage=volts, temperature=now.celsius)]
    rows: list[tuple[bytes, str, str | int, str]] = [
        (b"*D", "voltage", volts, "V"),
        (b"*E", "temperature", now.celsius, "C"),
        (b"*11", "cpu-temperature", now.cpu_celsius, "C"),
        (b"*1B59", "fan1-speed", now.fan_rpm, "RPM"),
        (b"*1CE9", "psu1-state", "ok", ""),
        (b"*1CEA", "psu2-state", "fail", ""),
    ]
    return [{b".id": key} | row(name=name, value=value, type=unit) for key, name, value, unit in rows]


def _license(state: RouterState, _tick: int) -> list[Row]:
    code = f"{mix(state.truth.key, 8) % 36**4:08X}"
    return [row(software_id=f"{code[:4]}-{code[4:]}", nlevel=6, features="")]


def _clock(state: RouterState, tick: int) -> list[Row]:
    date, _, time = state.date_time(tick).partition(" ")
    return [row(time=time, date=date, time_zone_autodetect=True, time_zone_name="UTC", gmt_offset="+00:00")]


def system_menus(_state: RouterState) -> list[Menu]:
    """Return the menus of ``/system``."""
    return [
        Menu("/system/resource", _resource),
        Menu("/system/resource/cpu", _cpu),
        Menu("/system/identity", _identity, {"set": _set_identity}),
        Menu("/system/routerboard", _routerboard),
        Menu("/system/package", _package),
        Menu("/system/health", _health),
        Menu("/system/license", _license),
        Menu("/system/clock", _clock),
    ]
