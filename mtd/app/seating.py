"""The seat of an edge, in its process: the link with the hub, and what is said of this machine."""

from __future__ import annotations

import asyncio
import ctypes
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtd import __version__
from mtd.app.dialling import HubDial
from mtd.app.edge_interfaces import EdgeParts, Seating
from mtd.app.secrets import master_keys
from mtd.app.ways import way_testers
from mtd.diagnostics.performing import Performer
from mtd.link.hands import EdgeHands
from mtd.link.kept import KeptFile
from mtd.link.seat import Edge, RemoteSeat
from mtd.model.collector_report import CollectorReport
from mtd.model.ways import TABLE as WAYS
from mtd.scheduler.metrics import POLLS_FAILED

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.security.masters import MasterKeys

FILE = "assignment.sealed"
"""In the data folder: what is polled without a lease."""

_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 512  # more than the structure has anywhere


async def take_seat(parts: EdgeParts) -> Seating:
    """Return the seat of an edge. Raises KeyUnusable."""
    settings, identity = parts.settings, parts.identity
    path = settings.daemon.data_dir / FILE
    masters = await asyncio.to_thread(_master_keys, settings, path)
    hands = EdgeHands(
        settings.diagnostics,
        Performer(settings.diagnostics, settings.routeros_api),
        way_testers(settings, parts.plugins),
        parts.scheduler,
        partial(_written, parts),
    )
    seat = RemoteSeat(
        Edge(identity.name, identity.collector_id, __version__, parts.log.log_id),
        HubDial(parts.hubs),
        KeptFile(path, lambda: masters.all),
        hands,
        partial(_report, parts),
        settings.link,
        margin_s=settings.coordination.margin_s,
    )
    return Seating(
        seat=seat,
        load_tables=partial(seat.known_rows, tables=(*parts.plugins.restored_tables, WAYS)),
        pseudonym_of=seat.pseudonym_of,
        start=seat.start,
        stop=seat.stop,
        failure=lambda: seat.state.failure,
    )


def _master_keys(settings: Settings, path: Path) -> MasterKeys:
    # A new key where something is sealed could not open it: it was lost, and has to come back.
    return master_keys(settings, may_make=not path.exists())


async def _written(parts: EdgeParts) -> tuple[str, int]:
    await parts.recorder.flush()
    return parts.log.log_id, parts.log.stats().last_seq


async def _report(parts: EdgeParts) -> CollectorReport:
    forwarding, log = parts.forwarder.status(), parts.log.stats()
    scheduler = parts.scheduler()
    memory, synchronised = await asyncio.to_thread(_of_this_machine)
    return CollectorReport(
        buffer_events=forwarding.buffer_events,
        buffer_bytes=log.stored_bytes,
        oldest_unsent_us=forwarding.oldest_unsent_us,
        last_push_us=forwarding.last_push_us,
        pressure=parts.pressure.thins,
        devices=0 if scheduler is None else len(scheduler.accounts()),
        poll_errors=_polls_failed(),
        memory_bytes=memory,
        clock_synchronised=synchronised,
    )


def _polls_failed() -> int:
    samples = (sample for metric in POLLS_FAILED.collect() for sample in metric.samples)
    return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))


def _of_this_machine() -> tuple[int, bool | None]:
    return _memory_bytes(), clock_is_synchronised()


def _memory_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def clock_is_synchronised() -> bool | None:
    """Return whether the kernel says that its clock is disciplined; None if it can't be asked."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    state = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _UNSYNCHRONISED
