"""What SNMP can tell of a menu: which objects, and how they become what RouterOS would have written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

SnmpValue: TypeAlias = int | bytes | None
"""What an agent told of an object: a number, the octets of a text; None if it has no such object."""

Convert: TypeAlias = Callable[..., bytes | None]
"""From the values of a field's objects to the text that the RouterOS API has for it; None: absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpField:
    """One field of a menu, as SNMP tells it.

    ``convert`` gets one value for each of ``oids``, and isn't called if none
    of them is there. In a table an OID is a column; in a single row it is
    whole, or, with ``column``, a column all of whose values ``convert`` gets
    as one list.
    """

    field: str
    oids: tuple[str, ...]
    convert: Convert
    column: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpKey:
    """The field that the index of a table's rows becomes, and back.

    Without ``index_of``, a command can't ask for rows by this field.
    """

    field: str
    text_of: Callable[[int], bytes]
    index_of: Callable[[bytes], int | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpTable:
    """What SNMP tells of one menu, under the names that RouterOS gives the fields.

    A field that isn't here can't be told, and is absent. Byte counters come
    first: they are read in this order, and are of one moment as far as they
    fit into one answer.

    Attributes:
        fields: the fields that can be told.
        rows: column which has an instance for every row; empty if the menu is one row.
        below: rows from this index on aren't looked for: a walk ends there.
        key: field that the index of a row becomes.
        only: query words that hold for every row of the menu, such as ``type=ether``.
        arguments: arguments of the command that SNMP needn't heed (``once``), besides ``numbers``.
        name: field with the name that people gave a row; it has to be the one that is known of it.
        otherwise: what is read if the table has no rows: older versions tell it in another place.
        count: object that holds how many rows there are, for a menu that is only counted.
    """

    fields: tuple[SnmpField, ...] = ()
    rows: str = ""
    below: int = 2**32
    key: SnmpKey | None = None
    only: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    name: str = ""
    otherwise: SnmpTable | None = None
    count: str = ""

    def names(self) -> frozenset[str]:
        """Return the fields that can be told, the key among them."""
        names = {entry.field for entry in self.fields}
        if self.key is not None:
            names.add(self.key.field)
        return frozenset(names) | (self.otherwise.names() if self.otherwise is not None else frozenset())
