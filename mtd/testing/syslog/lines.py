"""Lines as the routers of an internet provider send them, seeded: the same lines for everybody who is measured."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

# By how often they come: firewalls log most, then customers that come and go.
_MIX: Sequence[tuple[int, str, str]] = (
    (
        35,
        "firewall,info",
        "forward: in:<pppoe-{user}> out:sfp-sfpplus1, connection-state:new,snat proto TCP (SYN), {inner}:{port}->{outer}:443, "
        "NAT ({inner}:{port}->203.0.113.{byte}:{port})->{outer}:443, len 60",
    ),
    (
        15,
        "firewall,info",
        "drop-in input: in:ether1-WAN out:(unknown 0), connection-state:new src-mac {mac}, proto TCP (SYN), "
        "{outer}:{port}->203.0.113.{byte}:23, len 40",
    ),
    (12, "dhcp,info", "server1 assigned {inner} for {mac} phone-{byte}"),
    (8, "dhcp,info", "server1 deassigned {inner} for {mac} phone-{byte}"),
    (5, "pppoe,ppp,info,account", "{user} logged in, {inner} from {mac}"),
    (5, "pppoe,ppp,info,account", "{user} logged out, {port} 1234567 7654321 4321 1234 from {mac}"),
    (4, "pppoe,ppp,info", "<pppoe-{user}>: terminating... - peer is not responding"),
    (3, "wireless,info", "{mac}@wlan1: connected, signal strength -{byte}"),
    (3, "wireless,info", "{mac}@wlan1: disconnected, extensive data loss, signal strength -{byte}"),
    (2, "interface,info", "ether{digit} link down"),
    (2, "interface,info", "ether{digit} link up (speed 1G, full duplex)"),
    (2, "system,error,critical", "login failure for user {user} from {outer} via ssh"),
    (4, "script,info", "backup of {user} done in {byte} s"),  # no rule knows it
)


def lines_of(senders: int, each: int, seed: int = 1) -> list[list[bytes]]:
    """Return lines for each sender, half of whom use RouterOS' default form and half the BSD form."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    weights = [weight for weight, _, _ in _MIX]
    now = datetime.now(UTC)
    time = f"{now:%b} {now.day:2} {now:%H:%M:%S}"
    found = []
    for sender in range(senders):
        kinds = chance.choices(_MIX, weights, k=each)
        write = _bsd(time, name_of(sender)) if sender % 2 else _plain
        found.append([write(topics, text.format(**_values(chance))) for _, topics, text in kinds])
    return found


def name_of(sender: int) -> str:
    """Return the name of the router that a sender is."""
    return f"router-{sender}"


def address_of(sender: int) -> str:
    """Return the address of loopback that a sender sends from."""
    return f"127.1.{sender // 250}.{sender % 250 + 1}"


def _plain(topics: str, text: str) -> bytes:
    return f"{topics} {text}".encode()


def _bsd(time: str, name: str) -> Callable[[str, str], bytes]:
    """As ``bsd-syslog=yes`` has it: the name, and no topics."""

    def write(topics: str, text: str) -> bytes:
        severity = 2 if "critical" in topics else 6
        return f"<{3 * 8 + severity}>{time} {name} {text}".encode()

    return write


def _values(chance: random.Random) -> dict[str, object]:
    number = chance.getrandbits(32)
    byte = number & 0xFF
    return {
        "user": f"customer{number % 5000}",
        "inner": f"100.64.{number >> 8 & 0xFF}.{byte}",
        "outer": f"198.51.{number >> 16 & 0xFF}.{byte}",
        "mac": ":".join(f"{one:02X}" for one in number.to_bytes(6, "big")),
        "port": 1024 + number % 60000,
        "byte": byte,
        "digit": 1 + number % 9,
    }
