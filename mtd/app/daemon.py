"""The daemon: its parts, made and joined by hand, started in order, stopped in reverse."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from mtd.api.console.pages import ConsolePages
from mtd.api.console.worlds import Worlds
from mtd.api.grpc.event_feed import EventFeeds
from mtd.api.grpc.place_parts import place_parts
from mtd.api.grpc.polling import polling_parts
from mtd.api.grpc.server import ApiContext, GrpcServer, ServicePart
from mtd.api.grpc.service_levels import service_level_parts
from mtd.api.grpc.stream_hub import StreamHub
from mtd.api.http.server import HttpServer
from mtd.api.interfaces import ReadyCheck
from mtd.app.auditing.parts import Auditing
from mtd.app.backends import Inventory, Telemetry
from mtd.app.certificates import Certificates
from mtd.app.clock_watch import ClockWatch
from mtd.app.collecting import RELOADED, Collecting
from mtd.app.config import RoleName, Settings
from mtd.app.console_reads import CHART_POINTS
from mtd.app.coordinating import Coordinating
from mtd.app.credentials import credential_parts
from mtd.app.discovering import Finding
from mtd.app.edges import Edges
from mtd.app.event_log import make_log
from mtd.app.folder import make_data_dir
from mtd.app.hello import Hello
from mtd.app.hubs import Hubs
from mtd.app.identity import Identity
from mtd.app.ingesting import Ingesting
from mtd.app.leases import lease_store
from mtd.app.linking import Linking
from mtd.app.listening import listening_beside
from mtd.app.log_damage import DamageTeller
from mtd.app.logins import Logins
from mtd.app.polling import Pollers
from mtd.app.pools import Pools
from mtd.app.pressing import pressure_of, ready_check
from mtd.app.process import Process
from mtd.app.projecting import Projecting
from mtd.app.received import flow_queries, received_parts
from mtd.app.requests import RequestPruner
from mtd.app.secrets import Secrets
from mtd.app.showing import SHOWN_COLLECTORS, Showing, Shown
from mtd.app.slo.service import ServiceLevels
from mtd.app.tenancy import sole_tenant
from mtd.app.waiting import until_available
from mtd.app.ways import way_testers
from mtd.core.clock import SYSTEM_CLOCK
from mtd.ingest.recorder import Recorder
from mtd.model.device import DEFAULT_TENANT_ID, Device
from mtd.model.metric import Tier
from mtd.model.tenant import Quota
from mtd.model.watching import started
from mtd.model.ways import TABLE as WAYS
from mtd.plugin.manager import PluginManager
from mtd.queries.limits import TenantLimits
from mtd.queries.overview import OverviewQueries
from mtd.queries.ranges import RangeQueries
from mtd.queries.tables import TableQueries
from mtd.security.page_key import page_key_of
from mtd.security.pseudonyms import Pseudonyms
from mtd.storage.embedded.server import EmbeddedPostgres
from mtd.storage.pool import Database
from mtd.storage.schema import migrate
from mtd.storage.stores.devices import DeviceStore, has_secrets
from mtd.storage.stores.pollers import PollerStore
from mtd.storage.stores.requests import StoredRequests
from mtd.storage.stores.service_levels import ServiceLevelStore
from mtd.storage.stores.tenants import TenantStore

logger = logging.getLogger(__name__)


class Daemon(Process):
    """Everything of one process, of the roles ``all`` and ``hub``. ``start`` returns when it does its work.

    ``plugins`` are used instead of those that are installed.
    """

    reloaded = RELOADED | {"log"}

    def __init__(self, settings: Settings, plugins: PluginManager | None = None) -> None:
        super().__init__(settings)
        self._given_plugins = plugins
        self._plugins = PluginManager.of()
        self._worlds: Worlds | None = None
        self._logins = Logins(settings)
        self._certificates = Certificates(settings)
        self._ingesting = Ingesting(settings)

    async def start(self) -> None:
        """Start all parts, each when what it needs is there. A database that is away is waited for.

        Raises Misconfigured if the operator has to change something first.
        """
        make_data_dir(self._settings.daemon.data_dir)
        http = await self._start_http()
        self._plugins = self._given_plugins or PluginManager.load(settings=self._settings.plugins)
        self._database = await self._start_database()
        sole = await sole_tenant(self._settings.daemon.tenant, TenantStore(self._database))
        settings = self._settings.of_tenant(sole) if sole else self._settings
        watched_until_us = await self._start_log(settings)
        await self._start_secrets(settings)
        await self._start_identity(settings, sole)
        self._make_readers(settings)
        await self._start_projections()
        await self._start_ingest()
        await self._start_grpc()
        await self._begin(
            "logins",
            self._logins.start(self._database, self._identity, self._auditing.auditor),
            self._logins.stop,
        )
        self._start_showing(http, home=sole or DEFAULT_TENANT_ID)
        self._look_after_memory()
        await self._start_collecting(watched_until_us)
        # Stopped first: balancers send nobody here any more.
        self._stages.add("health", lambda: self._grpc.set_serving(False))
        await self._auditing.started()
        self._runtime.write(self._dsn, self._grpc.port, http.port)
        self._stages.waiting_for = ""
        logger.info("mtd is ready: gRPC on port %d, HTTP on port %d", self._grpc.port, http.port)

    def reload_refused(self, problems: int) -> None:
        """Write down that changed settings could not be used."""
        if not self._stages.waiting_for:
            self._auditing.reload_refused(problems)

    async def reload(self, settings: Settings) -> list[str]:
        """Take changed settings, and write that down."""
        changed = await super().reload(settings)
        if not self._stages.waiting_for:
            self._auditing.reloaded(changed)
        return changed

    def checks(self) -> Sequence[ReadyCheck]:
        """Return the state of each part, for ``/readyz``."""
        if self._stages.waiting_for:
            return [ReadyCheck("start", ready=False, reason=f"waiting for {self._stages.waiting_for}")]
        stats = self._log.stats()
        return [
            ReadyCheck("database", not self._hello.failure, self._hello.failure),
            *self._coordinating.checks(),
            ReadyCheck("name", not self._neighbours.failure, self._neighbours.failure),
            ReadyCheck("polling", not self._following_failure, self._following_failure),
            ReadyCheck("event log", stats.available, stats.reason),
            ready_check(self._pressure),
            ReadyCheck("audit log", not self._auditing.failure, self._auditing.failure),
            *self._listening.checks(),
            *self._projecting.checks(),
        ]

    @property
    def _following_failure(self) -> str:
        return "" if self._collecting is None else self._collecting.failure

    # -- starting -------------------------------------------------------------

    async def _start_http(self) -> HttpServer:
        """Open the HTTP door: it answers ``/readyz`` while the rest comes up."""
        settings = self._settings
        await self._begin("certificates", self._certificates.start(), self._certificates.stop)
        http = HttpServer(
            self,
            settings.http,
            doorkeeper=self._logins.doorkeeper,
            public_host=self._logins.public_host,
            tls=self._certificates.http,
            bodies=self._ingesting.bodies,
        )
        http.mount(self._ingesting.pages)
        self._console = ConsolePages(settings.console)
        if settings.console.enabled:
            http.mount(self._logins.pages)  # before what is below /console/
            http.mount(self._console)
            await self._console.start()
        await self._begin("http", http.start(), http.stop)
        return http

    async def _start_log(self, settings: Settings) -> int:
        """Open the event log; return the time of its newest event, 0 if it has none."""
        self._log = make_log(settings)
        self._stages.waiting_for = "the event log"
        await self._begin("event log", until_available(self._log.start, "the event log"), self._log.stop)
        newest_us = self._log.stats().newest_us
        self._recorder = Recorder(
            self._log, collector_id=settings.daemon.collector_id, settings=settings.ingest
        )
        return newest_us

    async def _start_secrets(self, settings: Settings) -> None:
        # A new key where passwords are stored could open none of them: it was lost, and has to come back.
        may_make = not await has_secrets(self._database)
        self._secrets = await Secrets.of(settings, self._plugins, self._database, may_make=may_make)
        self._hubs = Hubs(settings, self._pools, self._log.log_id, self._secrets.masters)
        await until_available(self._hubs.enter, "the other hubs")
        self._stages.add("place among the hubs", self._hubs.leave)
        self._auditing = Auditing(
            self._database, settings.daemon.data_dir, settings.audit, self._secrets.masters.all
        )
        await self._begin("audit log", self._auditing.start(), self._auditing.stop)
        self._store = DeviceStore(self._pools.doors, self._secrets.sealer)
        # Of the oldest: a rotation puts another on top.
        oldest = self._secrets.masters.oldest
        self._pseudonyms = Pseudonyms(oldest, settings.privacy)
        self._page_key = page_key_of(oldest)

    async def _start_identity(self, settings: Settings, sole: str) -> None:
        self._identity = Identity(
            self._readers,
            self._database,
            settings,
            self._plugins.catalogue,
            self._certificates.running,
            sole,
        )
        await self._begin("tenants", self._identity.start(), self._identity.stop)
        await self._begin(
            "collectors",
            self._certificates.start_collectors(
                self._readers, self._database, self._identity.tenancy, self._auditing.auditor
            ),
            self._certificates.stop_collectors,
        )

    def _make_readers(self, settings: Settings) -> None:
        self._edges = Edges(self._database, settings.link, settings.daemon.collector_id)
        self._limits = TenantLimits(settings.queries)
        self._telemetry = Telemetry(
            self._readers,
            self._pools.across,
            self._ranges(settings.grpc.max_points_per_answer),
            OverviewQueries(self._readers, self._arrays, settings.queries, limits=self._limits),
        )
        days = self._identity.limit(Quota.RETENTION_DAYS)
        self._flows = flow_queries(settings, self._pools, self._ranges(CHART_POINTS), self._limits, days)
        self._finding = self._find_and_look()
        seen = self._finding.seen
        self._listening = listening_beside(self._database, settings, self._recorder, seen)

    async def _start_ingest(self) -> None:
        await self._begin(
            "ingest of what is sent",
            self._ingesting.start(
                self._log,
                self._pressure,
                self._pools,
                self._secrets,
                self._identity,
                self._plugins.catalogue,
                self._auditing.auditor,
            ),
            self._ingesting.stop,
        )

    async def _start_database(self) -> Database:
        settings = self._settings
        self._dsn = settings.database.read_dsn()
        door_dsn = settings.database.read_door_dsn()
        if not self._dsn:
            embedded = EmbeddedPostgres(settings.daemon.data_dir / "postgres", settings.database.embedded)
            await self._begin("PostgreSQL", embedded.start(), embedded.stop)
            self._dsn, door_dsn = embedded.dsn, embedded.door_dsn
        self._stages.waiting_for = "the database"
        await until_available(lambda: migrate(self._dsn), "migrating the database")
        self._pools = Pools(self._dsn, door_dsn, settings.database)
        await self._begin("database", until_available(self._pools.start, "the database"), self._pools.stop)
        self._readers, self._arrays = self._pools.doors, self._pools.arrays
        return self._pools.writer

    def _ranges(self, max_answer_points: int) -> RangeQueries:
        """Return the queries of ranges for a door, which may allow less than the configuration."""
        config = self._settings.queries
        most = min(config.max_answer_points, max_answer_points)
        return RangeQueries(
            self._arrays,
            config.model_copy(update={"max_answer_points": most}),
            limits=self._limits,
            retention=self._settings.database.retention,
            shown_days=self._identity.limit(Quota.RETENTION_DAYS),
        )

    async def _start_projections(self) -> None:
        settings = self._settings
        projecting = self._projecting = Projecting(settings, self._log, self._pools, self._dsn)
        await self._begin("partitions", projecting.partitions.start(), projecting.partitions.stop)
        self._feeds = EventFeeds(self._telemetry, settings.grpc)
        self._hub = StreamHub(self._telemetry, self._plugins.catalogue, settings.grpc, self._on_events)
        await until_available(projecting.prepare, "the projections' positions")
        await self._start_neighbours()
        await self._begin("projections", projecting.start(self._neighbours.committed), projecting.stop)
        self._hello = Hello(self._database, projecting.runner.hurry, self._tell_health)
        name = settings.daemon.collector_id
        self._pressure = pressure_of(settings, self._log, self._recorder, projecting.behind_s, name)
        await self._begin("pressure", self._pressure.start(), self._pressure.stop)
        ahead = projecting.ahead(lambda: bool(self._hello.failure), self._neighbours.committed)
        await self._begin("newest values", ahead.start(), ahead.stop)
        await self._begin("compaction", projecting.compaction.start(), projecting.compaction.stop)
        await self._begin("flow sums", projecting.flow_sums.start(), projecting.flow_sums.stop)

    async def _start_neighbours(self) -> None:
        """Hear of what other hubs commit: before all is read, and until all is committed here."""
        self._leases = lease_store(self._settings, self._pools)
        await self._begin("leases", until_available(self._leases.start, "the leases"), self._leases.stop)
        self._neighbours = self._hubs.neighbours(
            self._leases, self._hub, self._plugins.catalogue, self._on_events, self._is_watched
        )
        await self._begin("other hubs", self._neighbours.start(), self._neighbours.stop)

    def _is_watched(self) -> bool:
        return bool(self._hub.streams or (self._worlds and self._worlds.viewers))

    def _on_events(self, tenants: set[str]) -> None:
        self._feeds.wake(tenants)
        if self._worlds is not None:
            self._worlds.changed(tenants)

    def _on_devices(self, devices: Sequence[Device]) -> None:
        self._hub.apply_devices(devices)
        self._listening.apply_devices(devices)
        if self._worlds is not None:
            self._worlds.changed()

    async def _start_grpc(self) -> None:
        self._coordinating = Coordinating(
            self._settings,
            self._pools,
            self._secrets.polled,
            self._identity.tenancy,
            self._recorder,
            self._on_devices,
            self._leases,
        )
        self._on_devices((await self._secrets.polled.snapshot()).devices)
        await self._begin("streams", self._hub.start(), self._stop_streams)
        self._inventory = Inventory(
            self._readers,
            self._store,
            self._secrets.polled,
            way_testers(self._settings, self._plugins),
            lambda: None if self._collecting is None else self._collecting.scheduler,
            self._wait_until_projected,
            self._intervals_s,
            self._edges,
        )
        linking = Linking(
            self._settings,
            self._pools,
            self._coordinating.coordination,
            self._pseudonyms,
            self._certificates.collectors,
            self._edges.desk,
        )
        levels = ServiceLevels(
            ServiceLevelStore(self._database),
            self._recorder,
            self._settings.slo,
            self._settings.scheduler.intervals_s.of(Tier.T0),
        )
        context = ApiContext(
            self._inventory,
            self._finding.discovery,
            self._finding.tools,
            self._telemetry,
            self._plugins.catalogue,
            self._hub,
            self._feeds,
            self._settings.grpc,
            self._identity.tenancy.gate,
            self._auditing.auditor,
            StoredRequests(self._readers),
            self._page_key,
            parts=self._service_parts(linking, levels),
            running=self._certificates.running,
            tls=self._certificates.grpc,
            follow_traces=self._settings.tracing.callers == "follow",
        )
        await self._begin("coordination", self._coordinating.start(), self._coordinating.stop)
        await self._begin("service levels", levels.start(), levels.stop)
        pruner = RequestPruner(self._database)
        await self._begin("ids of requests", pruner.start(), pruner.stop)
        self._grpc = GrpcServer(context)
        await self._begin("gRPC", self._grpc.start(), self._grpc.stop)

    def _service_parts(self, linking: Linking, levels: ServiceLevels) -> list[ServicePart]:
        """Return the services beside those of the context."""
        return [
            *self._identity.parts(),
            *place_parts(self._readers),
            *received_parts(self._pools, self._limits, self._flows),
            *polling_parts(Pollers(self._pools.coordination, self._coordinating.leases)),
            *service_level_parts(levels),
            *self._ingesting.parts(),
            *linking.parts(),
            *credential_parts(self._pools.doors, self._secrets.sealer, self._secrets.resolver.check),
            *self._auditing.service_parts(self._pools, self._dsn),
            *self._certificates.parts(lambda: self._grpc.client_port),
        ]

    def _find_and_look(self) -> Finding:
        """Return what finds devices and looks into them, within the quotas of tenants."""
        quota = Quota.DIAGNOSTICS_PER_HOUR
        finding = Finding(
            self._settings,
            self._readers,
            self._database,
            self._store,
            self._recorder,
            self._secrets.polled,
            self._identity.limit(quota),
            self._edges.reach.tools_of,
        )
        self._identity.meters[quota] = finding.tools.quota_used
        return finding

    def _intervals_s(self) -> dict[Tier, float]:
        return {tier: self._settings.scheduler.intervals_s.of(tier) for tier in Tier}

    def _start_showing(self, http: HttpServer, home: str) -> None:
        shown = Shown(
            self._readers,
            self._pools.across,
            self._ranges(CHART_POINTS),
            self._inventory,
            self._telemetry,
            self._hub,
            self._feeds,
            self._plugins.catalogue,
            self,
            self._intervals_s,
            self._flows,
            self._listening,
            lambda tenant_id: PollerStore(self._pools.coordination).list(tenant_id, "", SHOWN_COLLECTORS),
        )
        showing = Showing(self._settings, shown, lambda: self._collecting)
        if self._settings.console.enabled:  # else nothing of it: nobody could look at what it follows
            self._worlds = showing.console(self._console, home, self._logins.visits.visit)
            self._worlds.start()
            self._stages.add("console", self._worlds.stop)
        http.mount(showing.prometheus_pages())

    async def _wait_until_projected(self) -> None:
        """Wait until everything observed so far is in PostgreSQL."""
        await self._recorder.flush()
        await self._projecting.wait()

    async def _stop_streams(self) -> None:
        await self._hub.stop()
        await self._feeds.stop()

    async def _start_collecting(self, watched_until_us: int) -> None:
        settings = self._settings
        await self._begin("ingest", self._recorder.start(), self._recorder.stop)
        teller = DamageTeller(self._log, self._recorder, settings.daemon.collector_id)
        await self._begin("damage of the log", teller.start(), teller.stop)
        watch = ClockWatch(settings.daemon.collector_id, self._recorder.record_event)
        await self._begin("clock", watch.start(), watch.stop)
        await self._begin(
            "identity",
            self._certificates.start_identity(self._recorder.record_event),
            self._certificates.stop_identity,
        )
        await self._begin("discovery", self._finding.start(), self._finding.stop)
        await self._begin("listeners", self._listening.start(), self._listening.stop)
        self._stages.add("secrets", self._secrets.stop)
        self._secrets.start(self._recorder)
        if watched_until_us:
            collector, now_us = settings.daemon.collector_id, SYSTEM_CLOCK.now_us()
            self._recorder.record_event(started(collector, watched_until_us, now_us))
        if settings.daemon.role is not RoleName.HUB:
            await self._start_polling(settings)
        # Stopped first: what is let go then is another one's to give away.
        coordinator = self._coordinating.coordinator
        await self._begin("coordinator", coordinator.start(), coordinator.stop)
        self._tasks.spawn("database", self._hello.run())

    async def _start_polling(self, settings: Settings) -> None:
        seat = self._coordinating.seat
        self._collecting = Collecting(
            settings,
            self._recorder,
            seat,
            self._plugins,
            partial(TableQueries(self._database).rows_of, tables=(*self._plugins.restored_tables, WAYS)),
            self._pseudonyms.of,
            self._pressure.factor,
        )
        await self._begin("seat", seat.start(), seat.stop)
        self._stages.add("polling", self._collecting.stop)
        self._collecting.start()

    async def _tell_health(self) -> None:
        await self._grpc.set_serving(all(check.ready for check in self.checks()))
