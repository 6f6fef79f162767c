"""Failed attempts: how many somebody may make before they have to wait."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from mtd.core.clock import Clock
from mtd.core.errors import QuotaExceeded
from mtd.security.metrics import ATTEMPTS_REFUSED

_MOST_KEYS = 10_000


class Attempts:
    """Counts failures by a key, such as an address: ``most`` at once, then one each ``window_s / most`` seconds.

    Of more keys than there is room for, those that failed longest ago are forgotten. ``what`` names it in metrics
    and messages.
    """

    def __init__(self, what: str, most: int, window_s: float, clock: Clock) -> None:
        self._what = what
        self._most = most
        self._each_s = window_s / most
        self._clock = clock
        # When all failures of a key are forgiven, in seconds of the monotonic clock.
        self._forgiven: OrderedDict[str, float] = OrderedDict()

    def retry_after_s(self, key: str) -> float:
        """Return how long a key has to wait; 0 if it needn't."""
        forgiven = self._forgiven.get(key)
        if forgiven is None:
            return 0.0
        # A failure costs one step: with all steps used, the next is free when the oldest is forgiven.
        return max(0.0, forgiven - self._clock.monotonic() - (self._most - 1) * self._each_s)

    def check(self, key: str) -> None:
        """Raise QuotaExceeded if a key has to wait."""
        wait_s = self.retry_after_s(key)
        if wait_s > 0:
            ATTEMPTS_REFUSED.labels(what=self._what).inc()
            raise QuotaExceeded(
                f"too many {self._what} failed: wait {max(1, round(wait_s))} s", retry_after_s=wait_s
            )

    def failed(self, key: str) -> None:
        """Count a failure."""
        now = self._clock.monotonic()
        forgiven = max(now, self._forgiven.pop(key, now)) + self._each_s
        self._forgiven[key] = min(forgiven, now + self._most * self._each_s)
        while len(self._forgiven) > _MOST_KEYS:
            self._forgiven.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forgive what failed before."""
        self._forgiven.pop(key, None)


def peer_host(peer: str) -> str:
    """Return the address of a peer without its port: ``ipv4:192.0.2.1:4711`` gives ``192.0.2.1``.

    An IPv6 address gives its network of 64 bits: who has one address of it has all.
    """
    address = peer.removeprefix("ipv4:").removeprefix("ipv6:")
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1 and address.rpartition(":")[2].isdigit():
        address = address.partition(":")[0]
    return _network(address)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
