"""Settings that nothing moves by itself, alike on all routers but for what versions call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.menus.base import Menu, Row, nothing, numbered, row
from mtd.lab.scenario import FlowForm, TrapVersion

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_REMOTE_FORMATS_SINCE = (7, 18)
_FLOW_VERSIONS = {FlowForm.NETFLOW5: "5", FlowForm.NETFLOW9: "9", FlowForm.IPFIX: "ipfix"}


def _logging(_state: RouterState, _tick: int) -> list[Row]:
    rules = (("info", "memory"), ("error", "memory"), ("warning", "memory"), ("critical", "remote"))
    return numbered(
        [
            row(topics=topics, action=action, prefix="", invalid=False, disabled=False)
            for topics, action in rules
        ]
    )


def _logging_actions(state: RouterState, _tick: int) -> list[Row]:
    newer = state.persona.version >= _REMOTE_FORMATS_SINCE
    remote = row(name="remote", target="remote", remote="192.0.2.9", remote_port=514, default=True)
    remote |= row(syslog_facility="daemon", syslog_severity="auto", syslog_time_format="bsd-syslog")
    if newer:
        remote |= row(remote_log_format="syslog", remote_protocol="udp", vrf="main")
    else:
        remote |= row(bsd_syslog=True)
    return numbered(
        [
            row(name="memory", target="memory", memory_lines=1000, memory_stop_on_full=False, default=True),
            row(name="disk", target="disk", disk_file_name="log", disk_file_count=2, default=True),
            row(name="echo", target="echo", remember=True, default=True),
            remote,
        ]
    )


def _snmp(state: RouterState, _tick: int) -> list[Row]:
    spec = state.truth.spec
    found = row(enabled=spec.traps is not None, contact="", location="lab")
    if spec.traps is None:
        return [found | row(trap_community="public", trap_version=1)]
    target, _, _ = spec.traps.rpartition(":")
    found |= row(trap_community=spec.community, trap_version=1 if spec.trap_version is TrapVersion.V1 else 2)
    return [found | row(trap_target=target, trap_generators="start-trap,interfaces", trap_interfaces="all")]


def _traffic_flow(_state: RouterState, _tick: int) -> list[Row]:
    return [
        row(
            enabled=True,
            interfaces="all",
            cache_entries="128k",
            active_flow_timeout="30m",
            inactive_flow_timeout="15s",
        )
    ]


def _flow_targets(state: RouterState, _tick: int) -> list[Row]:
    spec = state.truth.spec
    version, address, port = "ipfix" if state.persona.is_v7 else "9", "192.0.2.9", "2055"
    if spec.flows is not None:
        version = _FLOW_VERSIONS.get(spec.flow_form, version)
        address, _, port = spec.flows.rpartition(":")
    return numbered(
        [row(dst_address=address, port=port, version=version, v9_template_refresh=20, disabled=False)]
    )


def _fixed(path: str, *rows: Row, many: bool = False) -> Menu:
    content = numbered(list(rows)) if many else list(rows)
    return Menu(path, lambda _state, _tick: [dict(found) for found in content])


def _schedules(state: RouterState, tick: int) -> list[Row]:
    return numbered(
        [
            row(
                name="night",
                start_time="02:00:00",
                interval="1d",
                on_event="/system backup save",
                owner="admin",
                policy="read,write",
                run_count=tick // 86_400_000,
                next_run=state.date_time(86_400_000),
                disabled=False,
            )
        ]
    )


# Others may have them with content; here they are there, and empty.
_EMPTY = (
    "/interface/list/member",
    "/ip/pool",
    "/ip/dhcp-server",
    "/ip/dhcp-server/network",
    "/ip/dhcp-client",
    "/ip/firewall/filter",
    "/ip/firewall/nat",
    "/ip/firewall/mangle",
    "/ip/firewall/raw",
    "/radius",
    "/system/script",
    "/tool/graphing/queue",
    "/routing/ospf/instance",
    "/routing/ospf/area",
)
_EMPTY_V6 = ("/routing/filter", "/routing/ospf/network", "/ip/route/rule")
_EMPTY_V7 = (
    "/interface/wireguard",
    "/interface/wireguard/peers",
    "/ip/vrf",
    "/ipv6/route",
    "/ipv6/firewall/filter",
    "/routing/rule",
    "/routing/filter/rule",
    "/routing/bgp/template",
    "/routing/ospf/interface-template",
    "/routing/bfd/configuration",
)


def settings_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    v7 = state.persona.is_v7
    return [
        *(Menu(path, nothing) for path in (*_EMPTY, *(_EMPTY_V7 if v7 else _EMPTY_V6))),
        Menu("/system/logging", _logging),
        Menu("/system/logging/action", _logging_actions),
        Menu("/system/scheduler", _schedules),
        _fixed(
            "/system/routerboard/settings",
            row(auto_upgrade=False, boot_device="nand-if-fail-then-ethernet", silent_boot=False),
        ),
        Menu("/ip/traffic-flow", _traffic_flow),
        Menu("/ip/traffic-flow/target", _flow_targets),
        _fixed("/tool/bandwidth-server", row(enabled=False, authenticate=True, max_sessions=100)),
        _fixed("/tool/graphing", row(store_every="5min", page_refresh=300)),
        _fixed("/tool/mac-server", row(allowed_interface_list="none")),
        _fixed("/ip/proxy", row(enabled=False, port=8080, anonymous=False)),
        _fixed("/ip/socks", row(enabled=False, port=1080, version=4)),
        _fixed("/ip/dns", row(servers="192.0.2.53", allow_remote_requests=False, cache_size="2048KiB")),
        _fixed("/ip/ssh", row(strong_crypto=True, always_allow_password_login=False, host_key_size=2048)),
        _fixed(
            "/ip/neighbor/discovery-settings", row(discover_interface_list="all", protocol="cdp,lldp,mndp")
        ),
        _fixed("/ip/firewall/connection/tracking", row(enabled="auto", loose_tcp_tracking=True)),
        Menu("/snmp", _snmp),
        _fixed(
            "/snmp/community",
            row(name="public", addresses="::/0", security="none", read_access=True, write_access=False),
            many=True,
        ),
        _fixed("/interface/list", row(name="WAN", include="", exclude=""), many=True),
        _fixed(
            "/tool/graphing/interface",
            row(interface="all", allow_address="0.0.0.0/0", store_on_disk=True, disabled=False),
            many=True,
        ),
        _fixed(
            "/tool/graphing/resource",
            row(allow_address="0.0.0.0/0", store_on_disk=True, disabled=False),
            many=True,
        ),
    ]
