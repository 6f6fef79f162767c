"""Tunnels and VPNs: IPsec, WireGuard, EoIP, GRE, IPIP, and connections that the router dials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, row
from mtd.lab.meters import since_boot
from mtd.lab.personality import duration
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

# The first IPsec tunnel is down for the last minute of each ten.
_ROUND_S, _DOWN_FROM_S = 600, 540
_ACTIVE_PEERS_SINCE = (6, 44)
_HANDSHAKE_S = 120
_PEERS, _WIREGUARD = 4_000_000, 5_000_000
_FIRST_IDS = {"eoip": 0xD00001, "gre": 0xD10001, "ipip": 0xD20001}
_CLIENTS = ("pppoe-client", "l2tp-client", "sstp-client", "ovpn-client", "pptp-client")


def tunnel_is_up(number: int, tick: int) -> bool:
    """Whether an IPsec tunnel is up: every fourth never is, and the first one fails now and then."""
    second = tick // TICKS_PER_S % _ROUND_S
    return number % 4 != 3 and (number > 0 or second < _DOWN_FROM_S)


def _site(number: int) -> str:
    return f"203.0.113.{number % 250 + 1}"


def _active_peers(state: RouterState, tick: int) -> list[Row]:
    up_s = max(1, (tick - state.truth.segment(tick).booted) // TICKS_PER_S)
    rows = []
    for number in range(state.truth.spec.vpns):
        if not tunnel_is_up(number, tick):
            continue
        received = since_boot(state.truth, _PEERS + 2 * number, 30_000, tick)
        sent = since_boot(state.truth, _PEERS + 2 * number + 1, 20_000, tick)
        rows.append(
            {b".id": f"*{number + 1:X}".encode()}
            | row(
                id=_site(number),
                local_address="192.0.2.1",
                remote_address=_site(number),
                port=500,
                side="initiator",
                state="established",
                uptime=duration(up_s),
                last_seen="3s",
                ph2_total=1,
                rx_bytes=received,
                rx_packets=received // 700,
                tx_bytes=sent,
                tx_packets=sent // 700,
                comment=f"site {number + 1}",
            )
        )
    return rows


def _policies(state: RouterState, tick: int) -> list[Row]:
    template = row(src_address="::/0", dst_address="::/0", protocol="all", action="encrypt", template=True)
    rows = [{b".id": b"*FFFFFF"} | template | row(dynamic=False, disabled=False, default=True)]
    for number in range(state.truth.spec.vpns):
        up = tunnel_is_up(number, tick)
        rows.append(
            {b".id": f"*{0x1000001 + number:X}".encode()}
            | row(
                peer=f"site{number + 1}",
                tunnel=True,
                src_address="10.0.0.0/16",
                src_port="any",
                dst_address=f"10.{number % 200 + 1}.0.0/16",
                dst_port="any",
                protocol="all",
                action="encrypt",
                level="unique",
                ipsec_protocols="esp",
                sa_src_address="192.0.2.1",
                sa_dst_address=_site(number),
                proposal="default",
                ph2_count=1 if up else 0,
                ph2_state="established" if up else "no-phase2",
                template=False,
                dynamic=False,
                invalid=False,
                active=up,
                disabled=False,
                comment=f"site {number + 1}",
            )
        )
    return rows


def _associations(state: RouterState, tick: int) -> list[Row]:
    up = [number for number in range(state.truth.spec.vpns) if tunnel_is_up(number, tick)]
    return [
        {b".id": f"*{2 * number + way + 1:X}".encode()}
        | row(
            spi=f"0x{mix(state.truth.key, 80, number, way) % 2**32:X}",
            state="mature",
            auth_algorithm="sha256",
            enc_algorithm="aes-cbc",
            enc_key=f"{mix(state.truth.key, 81, number, way):x}",
        )
        for number in up
        for way in (0, 1)
    ]


def _peers(state: RouterState, _tick: int) -> list[Row]:
    return [
        {b".id": f"*{number + 1:X}".encode()}
        | row(
            name=f"site{number + 1}",
            address=f"{_site(number)}/32",
            profile="default",
            exchange_mode="ike2",
            send_initial_contact=True,
            dynamic=False,
            disabled=False,
        )
        for number in range(state.truth.spec.vpns)
    ]


def _statistics(state: RouterState, tick: int) -> list[Row]:
    replays = since_boot(state.truth, _PEERS - 1, 1, tick) if state.truth.spec.vpns else 0
    names = (
        "in-errors in-buffer-errors in-header-errors in-no-states in-state-protocol-errors"
        " in-state-mode-errors in-state-expired in-state-mismatches in-state-invalid"
        " in-template-mismatches in-no-policies in-policy-blocked out-errors out-no-states"
    )
    return [dict.fromkeys(names.encode().split(), b"0") | row(in_state_sequence_errors=replays)]


def handshake_age_s(number: int, booted: int, tick: int) -> int | None:
    """Return how old the last handshake of a WireGuard peer is; None if there never was one.

    Of three peers one is well, one was heard of when the router started and never since, one never was.
    """
    up_s = max(1, (tick - booted) // TICKS_PER_S)
    match number % 3:
        case 0:
            return min(up_s, (tick // TICKS_PER_S + 37 * number) % _HANDSHAKE_S)
        case 1:
            return up_s
        case _:
            return None


def _wireguard_peers(state: RouterState, tick: int) -> list[Row]:
    truth = state.truth
    rows = []
    for number in range(truth.spec.vpns):
        age_s = handshake_age_s(number, truth.segment(tick).booted, tick)
        well = number % 3 == 0
        rows.append(
            {b".id": f"*{number + 1:X}".encode()}
            | row(
                interface="wireguard1",
                name=f"peer{number + 1}" if truth.version >= (7, 15) else None,
                public_key=f"{mix(truth.key, 90, number):016x}=",
                private_key="",
                endpoint_address="",
                endpoint_port=0,
                current_endpoint_address=_site(number) if age_s is not None else "",
                current_endpoint_port=51_820 if age_s is not None else 0,
                allowed_address=f"10.8.{number // 250}.{number % 250 + 2}/32",
                preshared_key="",
                persistent_keepalive="25s" if well else None,
                rx=since_boot(truth, _WIREGUARD + 2 * number, 9_000, tick) if well else 92 if age_s else 0,
                tx=since_boot(truth, _WIREGUARD + 2 * number + 1, 5_000, tick) if well else 148,
                last_handshake=None if age_s is None else duration(age_s),
                dynamic=False,
                disabled=False,
                comment=f"peer {number + 1}",
            )
        )
    return rows


def _wireguard(state: RouterState, _tick: int) -> list[Row]:
    if not state.truth.spec.vpns:
        return []
    key = f"{mix(state.truth.key, 91):016x}="
    return [
        {b".id": b"*E00001"}
        | row(
            name="wireguard1",
            mtu=1420,
            listen_port=13_231,
            private_key=f"{mix(state.truth.key, 92):016x}=",
            public_key=key,
            running=True,
            disabled=False,
        )
    ]


def _tunnels(kind: str) -> Menu:
    def rows(state: RouterState, _tick: int) -> list[Row]:
        return [
            {b".id": f"*{_FIRST_IDS[kind] + number:X}".encode()}
            | row(
                name=f"{kind}-{number + 1}",
                mtu="auto",
                actual_mtu=1458,
                local_address="192.0.2.1",
                remote_address=_site(number),
                keepalive="10s,10",
                tunnel_id=number if kind == "eoip" else None,
                dont_fragment="no",
                clamp_tcp_mss=True,
                ipsec_secret="",
                running=number % 3 != 2,
                disabled=False,
                comment=f"site {number + 1}" if number % 2 else None,
            )
            for number in range(state.truth.spec.vpns)
        ]

    return Menu(f"/interface/{kind}", rows)


def _dialled(kind: str) -> Menu:
    place = _CLIENTS.index(kind)

    def rows(state: RouterState, _tick: int) -> list[Row]:
        if not state.truth.spec.vpns:
            return []
        return [
            {b".id": f"*{0xD80001 + place:X}".encode()}
            | row(
                name=f"{kind.removesuffix('-client')}-out1",
                interface="bridge1" if kind == "pppoe-client" else None,
                connect_to=None if kind == "pppoe-client" else "vpn.example.net",
                user="site-user",
                password="site-password",
                profile="default",
                add_default_route=False,
                running=place % 2 == 0,
                disabled=False,
            )
        ]

    return Menu(f"/interface/{kind}", rows)


def vpn_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version. WireGuard came with 7; IPsec's peers had another name before 6.44."""
    newer = state.persona.version >= _ACTIVE_PEERS_SINCE
    menus = [
        Menu("/ip/ipsec/active-peers" if newer else "/ip/ipsec/remote-peers", _active_peers),
        Menu("/ip/ipsec/policy", _policies),
        Menu("/ip/ipsec/installed-sa", _associations),
        Menu("/ip/ipsec/peer", _peers),
        Menu("/ip/ipsec/statistics", _statistics),
        *(_tunnels(kind) for kind in _FIRST_IDS),
        *(_dialled(kind) for kind in _CLIENTS),
    ]
    if state.persona.is_v7:
        menus += [
            Menu("/interface/wireguard", _wireguard),
            Menu("/interface/wireguard/peers", _wireguard_peers),
        ]
    return menus
