"""What neighbours are known by, and rows as dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mtd.model.command import Rows

Row = dict[str, bytes]
_TRUE = frozenset((b"true", b"yes"))


def rows_of(rows: Rows | None) -> list[Row]:
    """Return rows one by one; none of what didn't come."""
    return [] if rows is None else rows.dicts()


def joined(rows: Iterable[Row], columns: Sequence[str]) -> Rows:
    """Return rows column by column."""
    made = list(rows)
    return Rows(len(made), {name: [row.get(name) for row in made] for name in columns})


def is_true(value: bytes | None) -> bool:
    """Whether a flag is set."""
    return value in _TRUE


def plain_address(told: bytes) -> bytes:
    """Return the address in ``10.0.0.2%ether1@customer`` or ``10.0.0.2/32``.

    Of a link-local address the interface is a part: it is another one on each link.
    """
    address = told.partition(b"@")[0]
    host, _, interface = address.partition(b"%")
    host = host.partition(b"/")[0]
    return host + b"%" + interface.partition(b"/")[0] if interface and is_link_local(host) else host


def is_link_local(address: bytes) -> bool:
    """Whether an address is of its link only."""
    return address[:4].lower() in {b"fe80", b"fe90", b"fea0", b"feb0"} and b":" in address


def interface_of(told: bytes) -> bytes:
    """Return the interface behind an address; empty if there is none."""
    return told.partition(b"@")[0].partition(b"%")[2]


def apart(key: str, rows: Iterable[Row], tell_by: Sequence[str]) -> list[Row]:
    """Return rows whose keys differ: of those with one key, the second is told apart by other fields.

    The first in the router's order keeps the key, so that it doesn't get
    another name because of a row that comes later.
    """
    taken: set[bytes] = set()
    made = []
    for row in rows:
        name = row[key]
        for field in tell_by:
            if name not in taken:
                break
            name = name + b"#" + row.get(field, b"")
        taken.add(name)
        made.append(row if name == row[key] else row | {key: name})
    return made
