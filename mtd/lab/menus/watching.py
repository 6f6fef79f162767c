"""What a router offers, watches and keeps: certificates, netwatch, cloud, files, users, time, containers, updates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.personality import duration
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

# The second host that is watched is down for the last minute of each ten.
_WATCH_ROUND_S, _DOWN_FROM_S = 600, 540
_UPSTREAM, _FLAPPING = "198.51.100.1", "192.0.2.53"
_NTP_SERVER = "192.0.2.5"
_CERTIFICATE_DAYS = 90
_HEALTH_FLAGS_SINCE = (7, 22)
_FILE_DATES_SINCE = (7, 13)
_DAY_TICKS = 86_400 * TICKS_PER_S


def flapping_is_up(tick: int) -> bool:
    """Whether the second host that is watched answers."""
    return tick // TICKS_PER_S % _WATCH_ROUND_S < _DOWN_FROM_S


def _certificates(state: RouterState, _tick: int) -> list[Row]:
    """Return a certificate made when the lab began, and one that had expired by then."""
    made = state.wall(0)
    validity = ((0, _CERTIFICATE_DAYS), (-400, -35))
    rows = []
    for number, (begins, ends) in enumerate(validity):
        expired = ends < 0
        rows.append(
            row(
                name=("lab", "old")[number],
                common_name=state.truth.spec.name,
                subject_alt_name=f"DNS:{state.truth.spec.name}.example.net",
                key_type="rsa",
                key_size=2048,
                key_usage="digital-signature,tls-server",
                invalid_before=state.persona.date_time(made + timedelta(days=begins)),
                invalid_after=state.persona.date_time(made + timedelta(days=ends)),
                serial_number=f"{mix(state.truth.key, 60 + number):X}",
                fingerprint=f"{mix(state.truth.key, 62 + number):064x}",
                private_key=True,
                authority=False,
                trusted=not expired,
                expired=True if expired else None,
            )
        )
    return numbered(rows)


def _netwatch(state: RouterState, tick: int) -> list[Row]:
    v7 = state.persona.is_v7
    hosts = ((_UPSTREAM, "upstream", True), (_FLAPPING, "dns", flapping_is_up(tick)))
    rows = []
    for host, name, up in hosts:
        content = row(
            name=name if v7 else None,
            host=host,
            type="icmp" if v7 else None,
            timeout="3s" if v7 else "1s",
            interval="10s",
            since=state.date_time(0),
            status="up" if up else "down",
            up_script="",
            down_script="/log warning message=down",
            disabled=False,
            comment=None if v7 else name,
        )
        if v7:
            content |= row(rtt_avg="1ms203us" if up else None, loss_percent=0 if up else 100)
        rows.append(content)
    return numbered(rows)


def _cloud(state: RouterState, _tick: int) -> list[Row]:
    last = mix(state.truth.key, 64) % 250 + 1
    return [
        row(
            ddns_enabled="auto" if state.persona.is_v7 else False,
            ddns_update_interval="none",
            update_time=True,
            public_address=f"203.0.113.{last}",
            dns_name=f"{mix(state.truth.key, 7) % 16**11:011x}.sn.mynetname.net",
            status="updated",
        )
    ]


def _kids(_state: RouterState, _tick: int) -> list[Row]:
    return numbered([row(name=name, mon="0s-1d", disabled=False) for name in ("school", "guests")])


def _kid_devices(state: RouterState, _tick: int) -> list[Row]:
    return numbered(
        [
            row(
                name=f"tablet-{number}",
                mac_address=f"48:8F:5A:00:00:{number:02X}",
                user="school",
                dynamic=False,
                bytes_down=mix(state.truth.key, 65, number) % 10**9,
                disabled=False,
            )
            for number in range(3)
        ]
    )


def _files(state: RouterState, _tick: int) -> list[Row]:
    """Return what lies on the router; ``contents`` are sent to those who ask for all properties."""
    dated = "last_modified" if state.persona.version >= _FILE_DATES_SINCE else "creation_time"
    size = 20_000 + mix(state.truth.key, 66) % 30_000
    listing: tuple[tuple[str, str, int | None], ...] = (
        ("flash", "disk", None),
        ("flash/night.backup", "backup", size),
        ("flash/setup.rsc", "script", 1250),
    )
    return numbered(
        [
            row(
                name=name,
                type=kind,
                size=length,
                contents="" if length is None else "x" * min(length, 4000),
                **{dated: state.date_time(-_DAY_TICKS * (number + 1))},
            )
            for number, (name, kind, length) in enumerate(listing)
        ]
    )


def _users(state: RouterState, tick: int) -> list[Row]:
    return numbered(
        [
            row(
                name=name,
                group=group,
                address="",
                last_logged_in=state.date_time(tick),
                expired=False if state.persona.is_v7 else None,
                disabled=False,
            )
            for name, group in (("admin", "full"), (state.truth.spec.username, "full"))
        ]
    )


def _aaa(_state: RouterState, _tick: int) -> list[Row]:
    return [
        row(use_radius=False, accounting=True, interim_update="0s", default_group="read", exclude_groups="")
    ]


def _ssh_keys(state: RouterState, _tick: int) -> list[Row]:
    owner = {"info": "noc"} if state.persona.is_v7 else {"key_owner": "noc"}
    return numbered([row(user="admin", bits=2048, **owner)])


def _history(state: RouterState, _tick: int) -> list[Row]:
    return [
        {b".id": b"*%X" % entry.number}
        | row(
            action=entry.action,
            by=entry.by,
            policy="write",
            time=state.date_time(entry.tick),
            undo="# a command",
            redo="# a command",
            undoable=True,
            redoable=False,
            floating_undo=False,
        )
        for entry in state.history
    ]


def _ntp_client(state: RouterState, tick: int) -> list[Row]:
    if state.persona.is_v7:
        return [
            row(
                enabled=True,
                mode="unicast",
                servers=_NTP_SERVER,
                vrf="main",
                freq_drift="8.319",
                status="synchronized",
                synced_server=_NTP_SERVER,
                synced_stratum=2,
                system_offset="-0.243",
            )
        ]
    return [
        row(
            enabled=True,
            mode="unicast",
            primary_ntp=_NTP_SERVER,
            secondary_ntp="0.0.0.0",  # noqa: S104 - how a router says that there is none
            server_dns_names="",
            poll_interval="15m",
            active_server=_NTP_SERVER,
            last_update_from=_NTP_SERVER,
            last_update_before=duration(1 + tick // TICKS_PER_S % 900),
            last_adjustment="-243us",
        )
    ]


def _ntp_servers(_state: RouterState, _tick: int) -> list[Row]:
    return numbered(
        [
            row(
                address=_NTP_SERVER,
                auth_key="none",
                iburst=True,
                min_poll=6,
                max_poll=10,
                dynamic=False,
                disabled=False,
            )
        ]
    )


def _ntp_server(_state: RouterState, _tick: int) -> list[Row]:
    return [
        row(
            enabled=False,
            broadcast=False,
            multicast=False,
            manycast=False,
            broadcast_addresses="",
            vrf="main",
            use_local_clock=False,
            local_clock_stratum=5,
        )
    ]


def has_gps(state: RouterState) -> bool:
    """Whether the router is one of those with GPS: a quarter of them is."""
    return mix(state.truth.key, 67) % 4 == 0


def _gps(_state: RouterState, _tick: int) -> list[Row]:
    return [row(enabled=True, port="serial0", channel=0, set_system_time=True, coordinate_format="dd")]


def _monitor_gps(state: RouterState, tick: int, _arguments: Mapping[bytes, bytes]) -> list[Row]:
    return [
        row(
            date_and_time=state.date_time(tick),
            latitude="56.948900",
            longitude="24.106400",
            altitude="12.300000m",
            speed="0.000000 km/h",
            valid=True,
            satellites=6 + mix(state.truth.key, 68, tick // (60 * TICKS_PER_S)) % 5,
            fix_quality=1,
            horizontal_dilution="1.05",
            data_age="1s",
        )
    ]


def _updates(state: RouterState, _tick: int) -> list[Row]:
    """Return what the router found when it looked last; each third never looked."""
    looked = mix(state.truth.key, 69) % 3 > 0
    latest = "7.20.4" if state.persona.is_v7 else "6.49.17"
    return [
        row(
            channel=state.persona.channel,
            installed_version=state.persona.plain_version,
            latest_version=latest if looked else None,
            status=None if not looked else "New version is available",
        )
    ]


def _disks(state: RouterState, tick: int) -> list[Row]:
    total = 64 * 10**9
    free = total - 10**9 - mix(state.truth.key, 70) % 10**9 - tick // _DAY_TICKS * 10**6
    if state.persona.is_v7:
        content = row(
            slot="usb1",
            type="hardware",
            model="Lab Stick",
            serial=f"{mix(state.truth.key, 71):X}",
            fs="ext4",
            interface="USB 2.00 480Mbps",
            mount_point="usb1",
            size=total,
            free=free,
            use=f"{100 - 100 * free // total}%",
            io_errors=0,
        )
    else:
        content = row(name="disk1", label="usb", type="ext3", disk="Lab Stick", size=total, free=free)
    return numbered([content])


def _containers(state: RouterState, _tick: int) -> list[Row]:
    rows = []
    for number, (name, running) in enumerate((("resolver", True), ("probe", False))):
        content = row(
            name=name if state.persona.version >= (7, 20) else f"{mix(state.truth.key, 72, number):08x}",
            hostname=name,
            tag=f"registry.example/{name}:1",
            os="linux",
            arch=state.truth.board.architecture,
            interface=f"veth{number + 1}",
            root_dir=f"usb1/{name}",
            start_on_boot=True,
            logging=False,
        )
        if state.persona.version >= _HEALTH_FLAGS_SINCE:
            content |= row(**{"healthy" if running else "stopped": True}, memory_current="26.5MiB")
        else:
            content |= row(status="running" if running else "stopped")
        rows.append(content)
    return numbered(rows)


def _container_config(_state: RouterState, _tick: int) -> list[Row]:
    return [row(registry_url="https://registry.example", username="", password="", tmpdir="usb1/tmp")]


def _container_mounts(_state: RouterState, _tick: int) -> list[Row]:
    return numbered([row(name="conf", src="/usb1/conf", dst="/etc/resolver")])


def watching_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    menus = [
        Menu("/certificate", _certificates),
        Menu("/tool/netwatch", _netwatch),
        Menu("/ip/cloud", _cloud),
        Menu("/ip/kid-control", _kids),
        Menu("/ip/kid-control/device", _kid_devices),
        Menu("/file", _files),
        Menu("/user", _users),
        Menu("/user/aaa", _aaa),
        Menu("/user/ssh-keys", _ssh_keys),
        Menu("/system/history", _history),
        Menu("/system/ntp/client", _ntp_client),
        Menu("/system/package/update", _updates),
        Menu("/disk", _disks),
    ]
    if has_gps(state):
        menus.append(Menu("/system/gps", _gps, {}, {"monitor": _monitor_gps}))
    if state.persona.is_v7:
        menus += [
            Menu("/system/ntp/client/servers", _ntp_servers),
            Menu("/system/ntp/server", _ntp_server),
            Menu("/container", _containers),
            Menu("/container/config", _container_config),
            Menu("/container/mounts", _container_mounts),
        ]
    return menus
