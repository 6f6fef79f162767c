"""What the HTTP door shows of routers: the console, and the pages for Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd import __version__
from mtd.api.console.drops import DropsPage
from mtd.api.console.flows import FlowPages
from mtd.api.console.own import Process
from mtd.api.console.parts import ConsoleParts
from mtd.api.console.reading import Reading
from mtd.api.console.worlds import Worlds
from mtd.api.http.device_metrics import DeviceMetrics
from mtd.api.http.prometheus_pages import PrometheusPages
from mtd.api.http.roster import Rosters
from mtd.app.console_reads import ConsoleReads
from mtd.core.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from mtd.api.console.pages import ConsolePages
    from mtd.api.grpc.event_feed import EventFeeds
    from mtd.api.grpc.flows import FlowBackend
    from mtd.api.grpc.stream_hub import StreamHub
    from mtd.api.http.visits import Visits
    from mtd.api.interfaces import InventoryBackend, Readiness, TelemetryBackend
    from mtd.api.pushed_interfaces import Pushed
    from mtd.app.collecting import Collecting
    from mtd.app.config import Settings
    from mtd.model.catalogue import Catalogue
    from mtd.model.device import Device, DeviceStatus
    from mtd.model.metric import Tier
    from mtd.model.poller import Poller
    from mtd.queries.ranges import RangeQueries
    from mtd.scheduler.account import Account, Polled
    from mtd.storage.pool import Database


SHOWN_COLLECTORS = 200
"""On the page of mtd's own health; `mtd collector list` has all."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown, and where it comes from."""

    readers: Database
    across: Database
    ranges: RangeQueries
    inventory: InventoryBackend
    telemetry: TelemetryBackend
    hub: StreamHub
    feeds: EventFeeds
    catalogue: Catalogue
    readiness: Readiness
    intervals_s: Callable[[], Mapping[Tier, float]]
    flows: FlowBackend
    pushed: Pushed
    collectors: Callable[[str], Awaitable[Sequence[Poller]]]


class Showing:
    """The console's worlds and the scrapers' pages; both read what is in memory, and neither asks a router.

    ``collecting`` returns what polls here; None before that begins.
    """

    def __init__(self, settings: Settings, shown: Shown, collecting: Callable[[], Collecting | None]) -> None:
        self._settings = settings
        self._shown = shown
        self._collecting = collecting

    def prometheus_pages(self) -> PrometheusPages:
        """Return the pages for Prometheus, following the hub from now on."""
        shown = self._shown
        metrics = DeviceMetrics(
            shown.hub, shown.catalogue, self._settings.http, SYSTEM_CLOCK, shown.intervals_s, self._polled
        )
        shown.hub.listen(metrics)
        return PrometheusPages(Rosters(shown.inventory, SYSTEM_CLOCK), metrics)

    def console(self, pages: ConsolePages, home: str, visits: Visits) -> Worlds:
        """Have the console's pages serve; return its worlds, which are to be started. ``home``: see `Worlds`."""
        shown, config = self._shown, self._settings.console
        backend = ConsoleReads(shown.readers, shown.across, shown.ranges)
        process = Process(
            __version__,
            self._settings.daemon.collector_id,
            shown.readiness,
            self._statuses,
            self._accounts,
            shown.collectors,
        )
        parts = ConsoleParts(
            shown.hub, shown.feeds, shown.telemetry, backend, process, self._intervals_by_word
        )
        worlds = Worlds(parts, config, home=home)
        reading = Reading(
            backend,
            shown.catalogue,
            worlds.own,
            self._intervals_by_word,
            config.deadline_s,
            account=self._account,
            more={
                **FlowPages(shown.flows, backend, self._settings.database.retention).pages,
                **DropsPage(shown.pushed, self._settings.daemon.collector_id).pages,
            },
        )
        pages.serve(worlds, reading, visits)
        return worlds

    def _intervals_by_word(self) -> dict[str, float]:
        return {tier.value: seconds for tier, seconds in self._shown.intervals_s().items()}

    def _statuses(self, tenant_id: str) -> Mapping[DeviceStatus, int]:
        collecting = self._collecting()
        return {} if collecting is None else collecting.scheduler.statuses(tenant_id)

    def _accounts(self) -> Sequence[tuple[Device, Account]]:
        collecting = self._collecting()
        return [] if collecting is None else collecting.scheduler.accounts()

    def _account(self, device_id: str) -> Account | None:
        collecting = self._collecting()
        return None if collecting is None else collecting.scheduler.account(device_id)

    def _polled(self, device_id: str) -> Polled | None:
        account = self._account(device_id)
        return None if account is None else account.so_far()
