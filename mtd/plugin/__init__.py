"""What a collector egg imports, and the host that runs it.

Takes in declarations of eggs and replies of routers, gives out observations.
Never talks to a router, never writes to the log; time comes with the replies.
"""

from mtd.plugin.declaration import (
    Collector,
    Column,
    Counter,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    Parse,
    Probe,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
)
from mtd.plugin.spec import API_VERSION, hookimpl

__all__ = [
    "API_VERSION",
    "Collector",
    "Column",
    "Counter",
    "DerivedRate",
    "Gauge",
    "Labels",
    "Menu",
    "Parse",
    "Probe",
    "RowEvent",
    "State",
    "StateEvent",
    "TableKind",
    "columns",
    "hookimpl",
]
