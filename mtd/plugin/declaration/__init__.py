"""What a collector declares: menus to read, and what their fields mean.

Takes nothing in and does nothing: frozen, without behaviour. ``mtd.plugin.checks`` says what
is wrong with a declaration, and the mapper does what it says.
"""

from mtd.plugin.declaration.collector import Collector, Probe
from mtd.plugin.declaration.fields import (
    Column,
    Counter,
    DerivedRate,
    Field,
    Gauge,
    Level,
    Moment,
    Parse,
    State,
    StateEvent,
    columns,
)
from mtd.plugin.declaration.menus import Companion, Join, Menu, TableKind, Transform, snapshot
from mtd.plugin.declaration.selection import Chooses, Selectable
from mtd.plugin.declaration.snmp import SnmpField, SnmpKey, SnmpTable
from mtd.plugin.declaration.tables import Counted, DocumentEvent, Labels, RowEvent, SameThing, Tally

__all__ = [
    "Chooses",
    "Collector",
    "Column",
    "Companion",
    "Counted",
    "Counter",
    "DerivedRate",
    "DocumentEvent",
    "Field",
    "Gauge",
    "Join",
    "Labels",
    "Level",
    "Menu",
    "Moment",
    "Parse",
    "Probe",
    "RowEvent",
    "SameThing",
    "Selectable",
    "SnmpField",
    "SnmpKey",
    "SnmpTable",
    "State",
    "StateEvent",
    "TableKind",
    "Tally",
    "Transform",
    "columns",
    "snapshot",
]
