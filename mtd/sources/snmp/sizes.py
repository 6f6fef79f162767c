"""What messages of SNMP take on the wire: computed, for the library doesn't tell.

By the rules of BER, of what was asked and answered; what the network puts
around it is left out, and what version 3 does is taken as it mostly is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from mtd.model.device import SnmpVersion

if TYPE_CHECKING:
    from mtd.model.device import SnmpSettings
    from mtd.plugin.declaration.snmp import SnmpValue

_AROUND_V2C = 29  # version, kinds, request id, error status and index, lengths
_AROUND_V3 = 120  # engine, its clock, user, digest, and what encryption adds
_NULL = 2


class Sizes:
    """Sizes of the messages with one agent."""

    def __init__(self, settings: SnmpSettings) -> None:
        if settings.version is SnmpVersion.V3:
            self._around = _AROUND_V3 + 2 * len(settings.username)
        else:
            self._around = _AROUND_V2C + len(settings.community)

    def request(self, oids: Sequence[str]) -> int:
        """Return the size of a request for objects."""
        return self._around + sum(_pair(oid_size(oid) + _NULL) for oid in oids)

    def answer(self, values: Mapping[str, SnmpValue]) -> int:
        """Return the size of an answer with values."""
        return self._around + sum(_pair(oid_size(oid) + value_size(v)) for oid, v in values.items())


@lru_cache(maxsize=65_536)  # the same objects are asked for in each poll, of all devices
def oid_size(oid: str) -> int:
    """Return the size of an object's name: seven bits of each number in a byte, the first two in one."""
    numbers = [int(number) for number in oid.split(".")]
    return 3 + sum(max(1, -(-number.bit_length() // 7)) for number in numbers[2:])


def value_size(value: SnmpValue) -> int:
    """Return the size of a value."""
    if value is None:
        return _NULL
    length = len(value) if isinstance(value, bytes) else value.bit_length() // 8 + 1
    return length + (2 if length < 128 else 4)


def _pair(size: int) -> int:
    return size + (2 if size < 128 else 4)
