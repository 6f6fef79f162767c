"""Wireless networks in the shapes that versions and packages give them.

What is true of radios, clients and access points is the same in all of them; a
shape is only how a row is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import CommandError, Menu, Row, nothing, row
from mtd.lab.meters import counted, reading
from mtd.lab.personality import duration
from mtd.lab.scenario import Wifi
from mtd.lab.subscribers import Churn
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_FIRST_RADIO_ID = 0xB00001
_FIRST_CLIENT_ID = 0x100
# Tenths of a megabit per second.
_RATES = (65, 130, 722, 866, 1300, 2889, 4333, 8667)
_WEAK_DBM, _STRENGTH = -88, 45
_CAP_BOARDS = ("RBcAPGi-5acD2nD", "cAPGi-5HaxD2HaxD")


@dataclass(frozen=True, slots=True)
class Radio:
    """A wireless interface."""

    number: int
    id: str
    mac_address: str
    ssid: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class Client:
    """A wireless client at a tick. Rates are tenths of a megabit per second."""

    id: str
    radio: Radio
    mac_address: str
    age_s: int
    signal_dbm: int
    tx_rate: int
    rx_rate: int
    tx_bytes: int
    rx_bytes: int


def shape_of(state: RouterState) -> Wifi:
    """Return the package that a router's radios are in."""
    spec = state.truth.spec
    if spec.wifi is not None:
        return spec.wifi
    return Wifi.WIFI if state.persona.has_wifi else Wifi.WIRELESS


def radios(state: RouterState) -> list[Radio]:
    """Return the radios. Of more than three the last is switched off."""
    count, key = state.truth.spec.radios, state.truth.key
    return [
        Radio(
            number,
            f"*{_FIRST_RADIO_ID + number:X}",
            _mac(key, 20, number),
            ("Lab", "Lab-guests")[number % 2],
            disabled=count > 3 and number == count - 1,
        )
        for number in range(count)
    ]


def clients(state: RouterState, tick: int) -> Iterator[Client]:
    """Yield the clients of the radios that are on."""
    truth = state.truth
    on = [radio for radio in radios(state) if not radio.disabled]
    if not on:
        return
    spec = truth.spec
    step = max(1, round(spec.churn_every_s * TICKS_PER_S))
    churn = Churn(spec.wireless_clients, round(spec.wireless_clients * spec.churn_pct / 100), step)
    booted = truth.segment(tick).booted
    for place, generation in churn.holders(tick):
        number = place + churn.places * generation
        earlier = -(1 + mix(truth.key, 21, place) % 9_000) * TICKS_PER_S
        came = churn.since_step(place, generation) * step if generation else earlier
        came = max(came, booted)
        luck = mix(truth.key, 22, number)
        yield Client(
            id=f"*{_FIRST_CLIENT_ID + number:X}",
            radio=on[number % len(on)],
            mac_address=_mac(truth.key, 23, place + churn.places * (generation // 2)),
            age_s=max(1, (tick - came) // TICKS_PER_S),
            signal_dbm=reading(truth, luck, _WEAK_DBM + luck % _STRENGTH, 4, tick),
            tx_rate=_RATES[luck // 7 % len(_RATES)],
            rx_rate=_RATES[luck // 11 % len(_RATES)],
            tx_bytes=counted(truth, luck, 1_000 + luck % 400_000, came, tick),
            rx_bytes=counted(truth, luck + 1, 500 + luck % 60_000, came, tick),
        )


def _mac(key: int, kind: int, number: int) -> str:
    low = mix(key, kind, number)
    return ":".join(("02", "4C", f"{kind:02X}", *(f"{low >> shift & 255:02X}" for shift in (16, 8, 0))))


def _megabits(tenths: int) -> str:
    whole, tenth = divmod(tenths, 10)
    return f"{whole}.{tenth}Mbps-20MHz/1S" if tenth else f"{whole}Mbps-20MHz/1S"


# ------------------------------------------------------------ the old package, and its controller


def _wireless(state: RouterState, _tick: int) -> list[Row]:
    return [
        {b".id": radio.id.encode()}
        | row(
            name=f"wlan{radio.number + 1}",
            mtu=1500,
            l2mtu=1600,
            mac_address=radio.mac_address,
            arp="enabled",
            interface_type="Atheros AR9300",
            mode="ap-bridge",
            ssid=radio.ssid,
            frequency=5180 + 20 * (radio.number % 8),
            band="5ghz-a/n/ac",
            channel_width="20mhz",
            radio_name=radio.mac_address.replace(":", ""),
            master_interface="none",
            security_profile="default",
            disabled=radio.disabled,
            running=not radio.disabled,
        )
        for radio in radios(state)
    ]


def _wireless_clients(state: RouterState, tick: int) -> list[Row]:
    return [
        {b".id": client.id.encode()}
        | row(
            interface=f"wlan{client.radio.number + 1}",
            mac_address=client.mac_address,
            ap=False,
            wds=False,
            bridge=False,
            rx_rate=_megabits(client.rx_rate),
            tx_rate=_megabits(client.tx_rate),
            packets=f"{client.tx_bytes // 900},{client.rx_bytes // 300}",
            bytes=f"{client.tx_bytes},{client.rx_bytes}",
            uptime=duration(client.age_s),
            last_activity="20ms",
            signal_strength=f"{client.signal_dbm}@6Mbps",
            signal_to_noise=client.signal_dbm + 104,
            tx_ccq=min(100, 140 + client.signal_dbm),
            authentication_type="wpa2-psk",
            encryption="aes-ccm",
        )
        for client in clients(state, tick)
    ]


def _monitor(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    """Return readings without names, in the order of the numbers."""
    known = {name: radio for radio in radios(state) for name in (radio.id, f"wlan{radio.number + 1}")}
    wanted = arguments.get(b"numbers", arguments.get(b".id", b"")).decode("latin-1").split(",")
    if not all(name in known for name in wanted):
        raise CommandError("no such item", 0)
    rows = []
    for radio in (known[name] for name in wanted):
        if radio.disabled:
            rows.append(row(status="disabled"))
            continue
        rows.append(
            row(
                status="running-ap",
                channel=f"{5180 + 20 * (radio.number % 8)}/20/ac",
                wireless_protocol="802.11",
                noise_floor=reading(state.truth, 40 + radio.number, -104, 3, tick),
                overall_tx_ccq=reading(state.truth, 60 + radio.number, 85, 10, tick),
                registered_clients=sum(client.radio == radio for client in clients(state, tick)),
                authenticated_clients=sum(client.radio == radio for client in clients(state, tick)),
            )
        )
    return rows


def _caps_man(state: RouterState, tick: int) -> list[Row]:
    served = [client.radio.number for client in clients(state, tick)]
    return [
        {b".id": radio.id.encode()}
        | row(
            name=f"cap{radio.number + 1}",
            mac_address=radio.mac_address,
            radio_mac=radio.mac_address,
            master_interface="none",
            configuration="cfg1",
            **{"configuration.ssid": radio.ssid},
            current_state="disabled" if radio.disabled else "running-ap",
            current_channel="5180/20/ac(28dBm)",
            current_registered_clients=served.count(radio.number),
            current_authorized_clients=served.count(radio.number),
            master=True,
            bound=True,
            dynamic=True,
            inactive=False,
            disabled=radio.disabled,
            running=not radio.disabled,
        )
        for radio in radios(state)
    ]


def _caps_man_clients(state: RouterState, tick: int) -> list[Row]:
    return [
        {b".id": client.id.encode()}
        | row(
            interface=f"cap{client.radio.number + 1}",
            ssid=client.radio.ssid,
            mac_address=client.mac_address,
            tx_rate=_megabits(client.tx_rate),
            rx_rate=_megabits(client.rx_rate),
            rx_signal=client.signal_dbm,
            uptime=duration(client.age_s),
            packets=f"{client.tx_bytes // 900},{client.rx_bytes // 300}",
            bytes=f"{client.tx_bytes},{client.rx_bytes}",
        )
        for client in clients(state, tick)
    ]


def _remote_caps(state: RouterState, _tick: int, *, newer: bool) -> list[Row]:
    rows = []
    for number in range(state.truth.spec.caps):
        mac = _mac(state.truth.key, 24, number)
        common = row(
            identity=f"ap-{number + 1}",
            serial=f"LAB{mix(state.truth.key, 25, number) % 16**9:09X}",
            version=state.persona.plain_version,
            base_mac=mac,
            address=f"10.9.{number // 250}.{number % 250 + 2}",
        )
        if newer:
            common |= row(
                common_name=f"CAP-{mac.replace(':', '')}",
                board_name=_CAP_BOARDS[1],
                state="Ok",
                connected_time=duration(60 + number),
            )
        else:
            common |= row(name=f"[{mac}]", board=_CAP_BOARDS[0], state="Run", radios=2)
        rows.append({b".id": f"*{number + 1:X}".encode()} | common)
    return rows


# ------------------------------------------------------------ wifiwave2, and wifi


def _wifi(state: RouterState, _tick: int) -> list[Row]:
    remote = bool(state.truth.spec.caps)
    return [
        {b".id": radio.id.encode()}
        | row(
            name=f"{'cap-' if remote else ''}wifi{radio.number + 1}",
            default_name=None if remote else f"wifi{radio.number + 1}",
            mac_address=radio.mac_address,
            radio_mac=radio.mac_address,
            configuration="cfg1",
            **{"configuration.mode": "ap", "configuration.ssid": radio.ssid},
            master=True,
            bound=True,
            dynamic=remote or None,
            inactive=False,
            disabled=radio.disabled,
            running=not radio.disabled,
        )
        for radio in radios(state)
    ]


def _wifi_clients(state: RouterState, tick: int) -> list[Row]:
    prefix = "cap-" if state.truth.spec.caps else ""
    return [
        {b".id": client.id.encode()}
        | row(
            interface=f"{prefix}wifi{client.radio.number + 1}",
            ssid=client.radio.ssid,
            mac_address=client.mac_address,
            uptime=duration(client.age_s),
            last_activity="20ms",
            signal=client.signal_dbm,
            auth_type="wpa2-psk",
            band="5ghz-ac",
            tx_rate=client.tx_rate * 100_000,
            rx_rate=client.rx_rate * 100_000,
            packets=f"{client.tx_bytes // 900},{client.rx_bytes // 300}",
            bytes=f"{client.tx_bytes},{client.rx_bytes}",
            tx_bits_per_second=0,
            rx_bits_per_second=0,
            authorized=True,
        )
        for client in clients(state, tick)
    ]


def wireless_menus(state: RouterState) -> list[Menu]:
    """Return the menus of the package that the radios are in, and those that are there without any."""
    shape = shape_of(state)
    if shape is Wifi.WIRELESS:
        remote = bool(state.truth.spec.caps)
        return [
            Menu("/interface/wireless", nothing if remote else _wireless, {}, {"monitor": _monitor}),
            Menu("/interface/wireless/registration-table", nothing if remote else _wireless_clients),
            Menu("/caps-man/interface", _caps_man if remote else nothing),
            Menu("/caps-man/registration-table", _caps_man_clients if remote else nothing),
            Menu("/caps-man/remote-cap", partial(_remote_caps, newer=False)),
        ]
    path = f"/interface/{shape}"
    return [
        Menu(path, _wifi),
        Menu(f"{path}/registration-table", _wifi_clients),
        Menu(f"{path}/capsman/remote-cap", partial(_remote_caps, newer=True)),
    ]
