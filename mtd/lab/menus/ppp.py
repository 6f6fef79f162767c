"""How PPP and hotspots are set, and who is in a hotspot. Sessions are the subscribers' own matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.meters import counted
from mtd.lab.personality import duration
from mtd.lab.subscribers import Churn
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_FIRST_GUEST_ID = 0xA4000001
_SESSION_S = 3_600
_PROFILES = ("basic", "fast", "office")
# The users of these sessions have secrets; subscribers are RADIUS's.
_MOST_SECRETS = 1_000
_OVPN_LIST_SINCE = (7, 17)


def _profiles(_state: RouterState, _tick: int) -> list[Row]:
    rows = [
        row(
            name=name,
            local_address="100.64.0.1",
            remote_address="pool-1",
            rate_limit=f"{20 * (number + 1)}M/{100 * (number + 1)}M",
            only_one="yes",
            change_tcp_mss="yes",
            use_encryption="no",
            address_list="",
            on_up="/log info message=up",
            default=False,
        )
        for number, name in enumerate(_PROFILES)
    ]
    return numbered([row(name="default", change_tcp_mss="yes", only_one="default", default=True), *rows])


def _secrets(state: RouterState, _tick: int) -> list[Row]:
    count = min(_MOST_SECRETS, state.truth.spec.pppoe)
    return numbered(
        [
            row(
                name=f"subscriber{number + 1}",
                service="pppoe",
                caller_id="",
                password=f"secret-{mix(state.truth.key, 50, number) % 10**6}",
                profile=_PROFILES[number % len(_PROFILES)],
                routes="",
                disabled=False,
            )
            for number in range(count)
        ]
    )


def _pppoe_servers(state: RouterState, _tick: int) -> list[Row]:
    if not (state.truth.spec.pppoe or state.truth.spec.sessions):
        return []
    return numbered(
        [
            row(
                service_name="isp",
                interface="bridge1",
                max_mtu=1492,
                max_mru=1492,
                mrru="disabled",
                authentication="pap,chap",
                keepalive_timeout=10,
                one_session_per_host=True,
                max_sessions="unlimited",
                pado_delay=0,
                default_profile="basic",
                invalid=False,
                disabled=False,
            )
        ]
    )


def _server(kind: str, **more: str | int | bool) -> Menu:
    content = row(
        enabled=False, max_mtu=1450, max_mru=1450, mrru="disabled", default_profile="default", **more
    )
    return Menu(f"/interface/{kind}-server/server", lambda _state, _tick: [dict(content)])


def _ovpn_servers(state: RouterState, _tick: int) -> list[Row]:
    common = row(port=1194, mode="ip", protocol="tcp", netmask=24, default_profile="default")
    if state.persona.version >= _OVPN_LIST_SINCE:
        return numbered([row(name="ovpn-server1") | common | row(disabled=True)])
    return [row(enabled=False) | common]


def _guests(state: RouterState, tick: int) -> list[Row]:
    truth, spec = state.truth, state.truth.spec
    step = max(1, round(spec.churn_every_s * TICKS_PER_S))
    churn = Churn(spec.hotspot, round(spec.hotspot * spec.churn_pct / 100), step)
    rows = []
    for place, generation in churn.holders(tick):
        number = place + churn.places * generation
        earlier = -(1 + mix(truth.key, 51, place) % 900) * TICKS_PER_S
        came = max(
            churn.since_step(place, generation) * step if generation else earlier, _booted(state, tick)
        )
        age_s = max(1, (tick - came) // TICKS_PER_S)
        rows.append(
            {b".id": f"*{_FIRST_GUEST_ID + number:X}".encode()}
            | row(
                server="hotspot1",
                user=f"room-{number + 1}",
                address=f"10.5.{number // 250 % 250}.{number % 250 + 2}",
                mac_address=f"02:4C:33:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}",
                login_by="http-chap",
                uptime=duration(age_s),
                idle_time="2s",
                session_time_left=duration(_SESSION_S - age_s) if age_s < _SESSION_S else None,
                bytes_in=counted(truth, number + 500, 1_000, came, tick),
                bytes_out=counted(truth, number + 501, 20_000, came, tick),
                radius=False,
            )
        )
    return rows


def _booted(state: RouterState, tick: int) -> int:
    return state.truth.segment(tick).booted


def _hosts(state: RouterState, tick: int) -> list[Row]:
    """Return who is on the network: those that are logged in, and one in four that isn't."""
    logged_in = [
        row(mac_address=guest[b"mac-address"], address=guest[b"address"], server="hotspot1", authorized=True)
        for guest in _guests(state, tick)
    ]
    waiting = [
        row(mac_address=f"02:4C:34:00:{number >> 8:02X}:{number & 255:02X}", server="hotspot1")
        for number in range(state.truth.spec.hotspot // 4)
    ]
    return numbered(logged_in + waiting)


def _hotspots(state: RouterState, _tick: int) -> list[Row]:
    if not state.truth.spec.hotspot:
        return []
    return numbered(
        [
            row(
                name="hotspot1",
                interface="bridge1",
                address_pool="hs-pool",
                profile="hsprof1",
                idle_timeout="5m",
                keepalive_timeout="none",
                addresses_per_mac=2,
                proxy_status="running",
                invalid=False,
                disabled=False,
            )
        ]
    )


def ppp_menus(_state: RouterState) -> list[Menu]:
    """Return the menus of PPP and of hotspots but for the sessions of PPP."""
    return [
        Menu("/ppp/profile", _profiles),
        Menu("/ppp/secret", _secrets),
        Menu("/interface/pppoe-server/server", _pppoe_servers),
        _server("l2tp", authentication="mschap2", use_ipsec="no", ipsec_secret="", keepalive_timeout=30),
        _server("pptp", authentication="mschap2", keepalive_timeout=30),
        _server("sstp", authentication="mschap2", port=443, certificate="none", tls_version="any"),
        Menu("/interface/ovpn-server/server", _ovpn_servers),
        Menu("/ip/hotspot", _hotspots),
        Menu("/ip/hotspot/active", _guests),
        Menu("/ip/hotspot/host", _hosts),
    ]
