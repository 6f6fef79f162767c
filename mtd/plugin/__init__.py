"""What a collector egg imports, and the host that runs it.

Takes in declarations of eggs and replies of routers, gives out observations.
Never talks to a router, never writes to the log; time comes with the replies.
"""

from mtd.model.selection import Why
from mtd.plugin.declaration import (
    Chooses,
    Collector,
    Column,
    Companion,
    Counted,
    Counter,
    DerivedRate,
    DocumentEvent,
    Gauge,
    Labels,
    Level,
    Menu,
    Moment,
    Parse,
    Probe,
    RowEvent,
    Selectable,
    SnmpField,
    SnmpKey,
    SnmpTable,
    State,
    StateEvent,
    TableKind,
    Tally,
    columns,
    snapshot,
)
from mtd.plugin.spec import API_VERSION, hookimpl
from mtd.security.errors import SecretUnavailable
from mtd.security.interfaces import Fetched, ISecretProvider

__all__ = [
    "API_VERSION",
    "Chooses",
    "Collector",
    "Column",
    "Companion",
    "Counted",
    "Counter",
    "DerivedRate",
    "DocumentEvent",
    "Fetched",
    "Gauge",
    "ISecretProvider",
    "Labels",
    "Level",
    "Menu",
    "Moment",
    "Parse",
    "Probe",
    "RowEvent",
    "SecretUnavailable",
    "Selectable",
    "SnmpField",
    "SnmpKey",
    "SnmpTable",
    "State",
    "StateEvent",
    "TableKind",
    "Tally",
    "Why",
    "columns",
    "hookimpl",
    "snapshot",
]
