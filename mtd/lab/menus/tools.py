"""Tools that go on until they are stopped: ping, traceroute, torch, sniffer, bandwidth test.

What they tell is seeded like all else, so that the same question has the same
answer. Nothing is sent anywhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import CommandError, Menu, Row, StreamMaker, nothing, row
from mtd.lab.menus.durations import seconds
from mtd.lab.wave import mix, text_key

if TYPE_CHECKING:
    from mtd.lab.hardware import Interface
    from mtd.lab.state import RouterState

Step = tuple[list[Row], float]
"""Rows, and the seconds until the next ones."""

NO_ANSWER = ipaddress.ip_network("203.0.113.0/24")
"""Addresses that nobody answers for: RFC 5737 keeps them for documents."""
NO_SERVER = ipaddress.ip_network("198.51.100.0/24")
"""Addresses without a bandwidth server."""
FLOWS = 6
PACKETS = 8
_PING = {b"address", b"count", b"interval", b"size", b"ttl", b"src-address", b"interface", b"do-not-fragment"}
_TRACE = {b"address", b"count", b"max-hops", b"timeout", b"protocol", b"src-address", b"use-dns"}
_TORCH = {
    b"interface", b"src-address", b"dst-address", b"src-address6", b"dst-address6", b"ip-protocol",
    b"mac-protocol", b"port", b"vlan-id", b"dscp", b"duration",
}  # fmt: skip
_QUICK = {
    b"interface", b"ip-address", b"ipv6-address", b"ip-protocol", b"port", b"mac-address", b"vlan-id",
    b"direction", b"duration",
}  # fmt: skip
_BANDWIDTH = {
    b"address", b"protocol", b"direction", b"duration", b"user", b"password", b"local-tx-speed",
    b"remote-tx-speed", b"connection-count",
}  # fmt: skip


class Commands(Menu):
    """A path with commands and nothing to print."""

    def commands(self) -> Iterator[str]:
        """Return the names of all commands."""
        yield from self.streams


def tool_menus(_state: RouterState) -> list[Menu]:
    """Return the tools; they are alike in all versions but for how times are printed."""
    tools = {
        "ping": _allowed(b"test", _ping),
        "traceroute": _allowed(b"test", _traceroute),
        "bandwidth-test": _allowed(b"test", _bandwidth_test),
        "torch": _allowed(b"sniff", _torch),
    }
    return [
        Commands("", nothing, streams={"ping": tools["ping"]}),
        Commands("/tool", nothing, streams=tools),
        Menu("/tool/sniffer", _sniffer, streams={"quick": _allowed(b"sniff", _quick)}),
    ]


def _allowed(policy: bytes, tool: StreamMaker) -> StreamMaker:
    def checked(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> Iterator[Step]:
        if policy.decode() not in state.truth.spec.policies:
            raise CommandError("not enough permissions (9)")
        return tool(state, tick, arguments)

    return checked


def _known(arguments: Mapping[bytes, bytes], known: set[bytes]) -> None:
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise CommandError(b"unknown parameter " + unknown[0])


def _number(arguments: Mapping[bytes, bytes], key: bytes, default: int) -> int:
    value = arguments.get(key, b"%d" % default)
    if not value.isdigit():
        raise CommandError(b"invalid value for argument " + key + b":", 1)
    return int(value)


def _target(state: RouterState, arguments: Mapping[bytes, bytes]) -> str:
    """Return the address that is meant; a name gets one of its own."""
    given = arguments.get(b"address", b"").decode("latin-1")
    if not given:
        raise CommandError("missing value(s) of argument(s) address")
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        number = mix(state.truth.key, text_key(given))
    return f"192.0.2.{1 + number % 254}"


def _rtt_us(state: RouterState, address: str, number: int) -> int:
    """Return a round-trip time: the host's own, and some jitter."""
    base = 800 + mix(state.truth.key, text_key(address)) % 40_000
    return base + mix(state.truth.key, text_key(address), number) % 2000


def _time(state: RouterState, microseconds: int) -> str:
    """Return a time as this version prints it: RouterOS 6 knows whole milliseconds only."""
    millis, rest = divmod(microseconds, 1000)
    return f"{millis}ms{rest}us" if state.persona.is_v7 and rest else f"{millis}ms"


def _silent(address: str) -> bool:
    return ipaddress.ip_address(address) in NO_ANSWER


# -- ping ---------------------------------------------------------------------


def _ping(state: RouterState, _tick: int, arguments: Mapping[bytes, bytes]) -> Iterator[Step]:
    _known(arguments, _PING)
    if b"interface" in arguments:
        _interface(state, arguments)
    address = _target(state, arguments)
    count = _number(arguments, b"count", 1 << 31)
    return _pings(state, address, count, seconds(arguments.get(b"interval", b"1s")), arguments)


def _pings(
    state: RouterState, address: str, count: int, interval_s: float, arguments: Mapping[bytes, bytes]
) -> Iterator[Step]:
    size, times = _number(arguments, b"size", 56), []
    for number in range(count):
        answer: dict[str, str | int] = {"seq": number, "host": address}
        if _silent(address):
            answer |= {"status": "timeout"}
        else:
            times.append(_rtt_us(state, address, number))
            answer |= {"size": size, "ttl": 58, "time": _time(state, times[-1])}
        answer |= {"sent": number + 1, "received": len(times)}
        answer["packet-loss"] = 100 * (number + 1 - len(times)) // (number + 1)
        if times:
            answer |= {
                "min-rtt": _time(state, min(times)),
                "avg-rtt": _time(state, sum(times) // len(times)),
                "max-rtt": _time(state, max(times)),
            }
        yield [row(**answer)], interval_s if number + 1 < count else 0.0


# -- traceroute ---------------------------------------------------------------


def _traceroute(state: RouterState, _tick: int, arguments: Mapping[bytes, bytes]) -> Iterator[Step]:
    _known(arguments, _TRACE)
    address = _target(state, arguments)
    rounds, most = _number(arguments, b"count", 1 << 31), _number(arguments, b"max-hops", 30)
    hops = [f"10.255.{number}.1" for number in range(2 + mix(state.truth.key, text_key(address)) % 4)]
    path = [*hops[:2], "", *hops[2:]][:most]  # one router on the way doesn't answer
    path += [] if len(path) >= most or _silent(address) else [address]
    return _rounds(state, path, rounds)


def _rounds(state: RouterState, path: list[str], rounds: int) -> Iterator[Step]:
    for number in range(rounds):
        rows = []
        for host in path:
            times = [_rtt_us(state, host, sent) / 1000 for sent in range(number + 1)] if host else []
            content = row(address=host, loss=0 if times else 100, sent=number + 1)
            if times:
                mean = sum(times) / len(times)
                spread = (sum((time - mean) ** 2 for time in times) / len(times)) ** 0.5
                figures = zip(
                    ("last", "avg", "best", "worst", "std-dev"),
                    (times[-1], mean, min(times), max(times), spread),
                    strict=True,
                )
                content |= row(**{name: f"{value:.1f}" for name, value in figures})
            else:
                content |= row(last="timeout")
            rows.append(content | row(status="") | {b".section": b"%d" % number})
        yield rows, 0.05 if number + 1 < rounds else 0.0


# -- torch --------------------------------------------------------------------


def _interface(state: RouterState, arguments: Mapping[bytes, bytes]) -> Interface:
    wanted = arguments.get(b"interface", b"")
    segment = state.truth.segment(state.clock.now_tick())
    for item in state.truth.shown(segment):
        if state.truth.label(segment, item)[0].encode() == wanted:
            return item
    raise CommandError(b"input does not match any value of interface", 0)


def _lasting(
    arguments: Mapping[bytes, bytes], make: Callable[[int], list[Row]], every_s: float = 1.0
) -> Iterator[Step]:
    """Give rows each second, for the duration that was asked for."""
    left_s = seconds(arguments[b"duration"]) if b"duration" in arguments else float("inf")
    section = 0
    while left_s > 0:
        pause_s = min(every_s, left_s)
        yield [content | {b".section": b"%d" % section} for content in make(section)], pause_s
        left_s -= pause_s
        section += 1


def _torch(state: RouterState, _tick: int, arguments: Mapping[bytes, bytes]) -> Iterator[Step]:
    _known(arguments, _TORCH)
    item = _interface(state, arguments)
    return _lasting(arguments, lambda _: _flows(state, item, arguments))


def _flows(state: RouterState, item: Interface, arguments: Mapping[bytes, bytes]) -> list[Row]:
    """Return flows that come to the interface's true rates, by what was asked to be told apart."""
    tick = state.clock.now_tick()
    rates = {}
    for name, prop, factor in (
        ("tx", "tx-byte", 8), ("rx", "rx-byte", 8), ("tx-packets", "tx-packet", 1), ("rx-packets", "rx-packet", 1)
    ):  # fmt: skip
        rate = state.truth.true_rate(item.id, prop, tick - TICKS_PER_S, tick) or 0.0
        rates[name] = int(rate * factor)
    weights = [1 + mix(state.truth.key, item.index, number) % 100 for number in range(FLOWS)]
    rows = []
    for number, weight in enumerate(weights):
        protocol, service = (("tcp", "443 (https)"), ("udp", "53 (dns)"), ("tcp", "22 (ssh)"))[number % 3]
        flow: dict[str, str | int] = {"mac-protocol": "ip"}
        if b"ip-protocol" in arguments or b"port" in arguments:
            flow["ip-protocol"] = protocol
        if b"src-address" in arguments:
            flow["src-address"] = f"100.64.{item.index}.{number + 2}"
        if b"dst-address" in arguments:
            flow["dst-address"] = f"192.0.2.{number + 10}"
        if b"port" in arguments:
            flow |= {"src-port": 40_000 + number, "dst-port": service}
        flow |= {name: rate * weight // sum(weights) for name, rate in rates.items()}
        rows.append(row(**flow))
    return rows


# -- sniffer ------------------------------------------------------------------


def _sniffer(_state: RouterState, _tick: int) -> list[Row]:
    return [
        row(only_headers=False, memory_limit="100KiB", file_name="", streaming_enabled=False, running=False)
    ]


def _quick(state: RouterState, _tick: int, arguments: Mapping[bytes, bytes]) -> Iterator[Step]:
    _known(arguments, _QUICK)
    item = _interface(state, arguments)
    wanted = arguments.get(b"direction", b"any")
    seen = iter(range(1 << 31))

    def packets(section: int) -> list[Row]:
        rows = []
        for number in range(PACKETS):
            sent = number % 2 == 1
            if wanted in (b"tx", b"rx") and (wanted == b"tx") is not sent:
                continue
            here, there = f"100.64.{item.index}.{number + 2}:{40_000 + number}", "192.0.2.10:443 (https)"
            rows.append(
                row(
                    interface=arguments[b"interface"],
                    time=f"{section}.{number * 100:03}",
                    num=next(seen),
                    dir="->" if sent else "<-",
                    src_mac=item.mac_address or None,
                    dst_mac="48:8F:5A:00:00:01",
                    src_address=there if sent else here,
                    dst_address=here if sent else there,
                    protocol="ip:tcp",
                    size=66 + mix(state.truth.key, section, number) % 1400,
                    cpu=number % state.truth.board.cpu_count,
                    fp=False,
                    raw="4500003412344000",  # what a router with quick-show-frame=yes sends unasked
                )
            )
        return rows

    return _lasting(arguments, packets)


# -- bandwidth test -----------------------------------------------------------


def _bandwidth_test(state: RouterState, _tick: int, arguments: Mapping[bytes, bytes]) -> Iterator[Step]:
    _known(arguments, _BANDWIDTH)
    address = _target(state, arguments)
    if ipaddress.ip_address(address) in NO_SERVER:
        return iter([([row(status="can not connect")], 0.0)])
    return _measured(state, address, arguments)


def _measured(state: RouterState, address: str, arguments: Mapping[bytes, bytes]) -> Iterator[Step]:
    direction = arguments.get(b"direction", b"receive").decode("latin-1")
    limits = {
        "tx": _number(arguments, b"local-tx-speed", 1 << 40),
        "rx": _number(arguments, b"remote-tx-speed", 1 << 40),
    }
    ways = {"both": ("tx", "rx"), "transmit": ("tx",), "receive": ("rx",)}[direction]
    total_s = seconds(arguments.get(b"duration", b"10s"))
    yield [row(status="connecting", duration="0s", direction=direction) | {b".section": b"0"}], 0.01
    speeds: dict[str, list[int]] = {way: [] for way in ways}
    steps = max(1, round(total_s))
    for number in range(1, steps + 1):
        content: dict[str, str | int] = {
            "status": "done testing" if number == steps else "running",
            "duration": f"{number}s",
        }
        for way in ways:
            link = 40_000_000 + mix(state.truth.key, text_key(address), text_key(way)) % 900_000_000
            speeds[way].append(min(limits[way], link - mix(state.truth.key, number) % 1_000_000))
            content |= {
                f"{way}-current": speeds[way][-1],
                f"{way}-10-second-average": sum(speeds[way][-10:]) // len(speeds[way][-10:]),
                f"{way}-total-average": sum(speeds[way]) // number,
            }
        if arguments.get(b"protocol", b"udp") == b"udp":
            content["lost-packets"] = mix(state.truth.key, number) % 3
        content |= {"random-data": "false", "direction": direction}
        if state.persona.is_v7:
            content |= {"connection-count": 20, "local-cpu-load": 12, "remote-cpu-load": 9}
        yield [row(**content) | {b".section": b"%d" % number}], total_s / steps if number < steps else 0.0
