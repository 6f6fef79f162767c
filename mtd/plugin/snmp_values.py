"""Values of SNMP, written as the RouterOS API would have written them.

For the ``convert`` of an `SnmpField`: numbers and octets in, the text of a
field out, None for what is absent or makes no sense. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtd.plugin.declaration.snmp import Convert, SnmpKey, SnmpValue

_MAC_OCTETS = 6
_UNITS = ((b"w", 604_800), (b"d", 86_400), (b"h", 3_600), (b"m", 60), (b"s", 1))
_TICKS_PER_S = 100
_SMALL_RATE_MBPS = 1_000


def text(value: SnmpValue) -> bytes | None:
    """Return a text as it is; an empty one is absent, as the API leaves it out."""
    return value if isinstance(value, bytes) and value else None


def number(value: SnmpValue) -> bytes | None:
    """Return a whole number."""
    return b"%d" % value if isinstance(value, int) else None


def positive(value: SnmpValue) -> bytes | None:
    """Return a whole number over 0; agents say 0 for what they don't measure."""
    return b"%d" % value if isinstance(value, int) and value > 0 else None


def decimal(places: int) -> Convert:
    """Return what writes a whole number that counts decimal fractions (``DISPLAY-HINT "d-1"``)."""

    def convert(value: SnmpValue) -> bytes | None:
        if not isinstance(value, int):
            return None
        whole, fraction = divmod(abs(value), 10**places)
        digits = b"%0*d" % (places, fraction) if places else b""
        sign = b"-" if value < 0 else b""
        return sign + b"%d" % whole + (b"." + digits if digits.strip(b"0") else b"").rstrip(b"0")

    return convert


_hundredths = decimal(2)


def words(by_number: Mapping[int, bytes]) -> Convert:
    """Return what writes a word for a number of an enumeration. Another number is absent."""

    def convert(value: SnmpValue) -> bytes | None:
        return by_number.get(value) if isinstance(value, int) else None

    return convert


def ticks(value: SnmpValue) -> bytes | None:
    """Write hundredths of a second as a duration in whole seconds: ``1w2d3h4m5s``."""
    if not isinstance(value, int) or value < 0:
        return None
    left = value // _TICKS_PER_S
    written = b""
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            written += b"%d%s" % (count, unit)
    return written or b"0s"


def mac_address(value: SnmpValue) -> bytes | None:
    """Write six octets as ``64:D1:54:00:00:01``; none, or other numbers of them, are absent."""
    if not isinstance(value, bytes) or len(value) != _MAC_OCTETS:
        return None
    return b":".join(b"%02X" % octet for octet in value)


def mean(values: Sequence[SnmpValue]) -> bytes | None:
    """Write the mean of whole numbers, to the hundredth; absent if any of them is."""
    numbers = [value for value in values if isinstance(value, int)]
    if not numbers or len(numbers) != len(values):
        return None
    return _hundredths((200 * sum(numbers) + len(numbers)) // (2 * len(numbers)))


def product(count: SnmpValue, unit: SnmpValue) -> bytes | None:
    """Write a size that is told in units, in bytes."""
    return b"%d" % (count * unit) if isinstance(count, int) and isinstance(unit, int) else None


def remainder(total: SnmpValue, used: SnmpValue, unit: SnmpValue) -> bytes | None:
    """Write what is free of something of which the size and what is used are told, in bytes."""
    if isinstance(total, int) and isinstance(used, int) and isinstance(unit, int) and total >= used:
        return b"%d" % ((total - used) * unit)
    return None


def undivided(unicast: SnmpValue, multicast: SnmpValue, broadcast: SnmpValue) -> bytes | None:
    """Write the packets of an interface, if they are told as one number.

    RouterOS calls the unicast counter the packets of the interface. Some of its
    drivers fill the other two counters besides, and nobody tells whether those
    packets are among the first: then there is no number that is surely right.
    """
    return None if multicast or broadcast else number(unicast)


def link_rate(megabits: SnmpValue) -> bytes | None:
    """Write the speed of a link: ``100Mbps``, ``2.5Gbps``; absent without a link."""
    if not isinstance(megabits, int) or megabits <= 0:
        return None
    if megabits < _SMALL_RATE_MBPS:
        return b"%dMbps" % megabits
    written = decimal(3)(megabits)
    return None if written is None else written + b"Gbps"


def dynamic_name(value: SnmpValue) -> bytes | None:
    """Say ``true`` for a name that RouterOS gave by itself, such as ``<pppoe-joe>``."""
    return b"true" if isinstance(value, bytes) and value[:1] == b"<" and value[-1:] == b">" else None


def internal_id(index: int) -> bytes:
    """Write an index as RouterOS writes its internal ids: 10 is ``*A``.

    The vendor's MIB says of its ObjectIndex that it is "internal", shown in
    hexadecimal, and has nothing to do with the numbers of the console; sensors
    and queue trees were seen with the same ids in both.
    """
    return b"*%X" % index


def index_of(written: bytes) -> int | None:
    """Return the index of an internal id; None if it isn't one."""
    digits = written[1:]
    if written[:1] != b"*" or not digits or len(digits) > 8 or digits.strip(b"0123456789ABCDEFabcdef"):
        return None
    return int(digits, 16)


INTERNAL_ID = SnmpKey(field=".id", text_of=internal_id, index_of=index_of)
