"""The console's page of what routers push, and what of it is lost.

What a tenant's own routers sent is for all of its viewers. Figures of the whole process, and senders that are nobody's,
tell of all tenants: they are for those who cross them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtd.api.console.arguments import Arguments, only
from mtd.api.console.losses import LABELS, read_losses
from mtd.api.console.reading import Page, encoded
from mtd.api.pushed_interfaces import Exporter, Pushed, TooFast, UnknownSender
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.model.principal import Principal

_MALFORMED = "malformed."
_COUNTS = (
    *("datagrams", "stored", "lost", "held", "held_dropped", "templates_dropped", "queue_full", "restarts"),
    *("worker_died", "template_conflicts"),
    *("insane", "empty", "bad_times", "clock_corrected", "odd_sizes", "byte_order"),
    *("sampling_told", "sampling_configured", "sampling_assumed"),
)
"""Of an exporter; see ``FlowsService.exporters``."""


class DropsPage:
    """Tells it. ``collector_id``: which process this is."""

    def __init__(self, pushed: Pushed, collector_id: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._pushed = pushed
        self._collector_id = collector_id
        self._clock = clock
        self._since_us = clock.now_us()

    @property
    def pages(self) -> Mapping[str, Page]:
        """The page by its path."""
        return {"drops": self._page}

    async def _page(self, caller: Principal, given: Arguments) -> bytes:
        only(given)
        whole = caller.crosses_tenants
        # Lists of the listeners change in the loop: they are read before a thread takes over.
        exporters, fast = self._pushed.exporters(), self._pushed.too_fast()
        strangers = self._pushed.unknown_senders() if whole else ()
        listening = list(self._pushed.listening)
        now_us = self._clock.now_us()

        def made() -> dict[str, Any]:
            told: dict[str, Any] = {
                "now_us": now_us,
                "since_us": self._since_us,
                "listeners": [_listener(name, whole=whole) for name in listening],
                "exporters": [_exporter(one) for one in exporters if one.tenants == {caller.tenant_id}],
                "too_fast": [_too_fast(one) for one in fast if one.device.tenant_id == caller.tenant_id],
            }
            if whole:
                told["collector_id"] = self._collector_id
                told["shared"] = [_shared(one) for one in exporters if len(one.tenants) > 1]
                told["unknown_senders"] = [_stranger(one) for one in strangers]
            return told

        return await encoded(made)


def _listener(name: str, *, whole: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "label": LABELS.get(name, name)}
    if whole:
        told["figures"] = read_losses(name)
    return told


def _exporter(one: Exporter) -> dict[str, Any]:
    devices = [{"id": device.device_id, "name": device.name} for device in one.devices]
    return {"address": one.address, "devices": devices, **_counted(one.counts)}


def _too_fast(one: TooFast) -> dict[str, Any]:
    return {
        "device_id": one.device.device_id,
        "device": one.device.name,
        "messages": one.messages,
        "found_by": one.found_by.value,
    }


def _shared(one: Exporter) -> dict[str, Any]:
    """Return an address of several tenants' devices, whose names are none of the caller's business here."""
    return {"address": one.address, "tenants": len(one.tenants), **_counted(one.counts)}


def _counted(counts: Mapping[str, int]) -> dict[str, Any]:
    malformed = {
        name.removeprefix(_MALFORMED): count
        for name, count in sorted(counts.items())
        if name.startswith(_MALFORMED) and count
    }
    return {
        **{name: counts.get(name, 0) for name in _COUNTS},
        "malformed": sum(malformed.values()),
        "malformed_by": malformed,
    }


def _stranger(one: UnknownSender) -> dict[str, Any]:
    return {
        "address": one.address,
        "name": one.name,
        "messages": one.messages,
        "seen_us": one.seen_us,
        "found_by": one.found_by.value,
        "shared": one.shared,
    }
