"""What an edge polls, and where it knows that from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.app.identity_files import Identity
    from mtd.app.renewal import HubClient
    from mtd.forwarding.service import Forwarder
    from mtd.ingest.pressure.watch import Pressure
    from mtd.ingest.recorder import Recorder
    from mtd.plugin.manager import PluginManager
    from mtd.scheduler.parts import LoadTables
    from mtd.scheduler.service import Scheduler
    from mtd.security.pseudonyms import Pseudonym


@dataclass(frozen=True, slots=True)
class EdgeParts:
    """What a seat may use: all of it is started. ``scheduler``: what polls, once it does."""

    settings: Settings
    identity: Identity
    hubs: HubClient
    log: Any
    recorder: Recorder
    forwarder: Forwarder
    plugins: PluginManager
    pressure: Pressure
    scheduler: Callable[[], Scheduler | None]


@dataclass(frozen=True, slots=True)
class Seating:
    """Where an edge sits: what it polls, what is known of that, and how people in it are called.

    ``start`` and ``stop`` are of all of it; ``failure`` tells why it knows nothing, empty if it does.
    """

    seat: Any
    load_tables: LoadTables
    pseudonym_of: Callable[[str], Pseudonym | None]
    start: Callable[[], Awaitable[object]]
    stop: Callable[[], Awaitable[object]]
    failure: Callable[[], str]


TakeSeat = Callable[[EdgeParts], Awaitable[Seating]]
