"""What others send, in the daemon: the doors of ingest, and what they need, joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtd.api.grpc.ingest import IngestServicer
from mtd.api.grpc.ingest_parts import ingest_parts
from mtd.api.http.bodies import BodyLimits
from mtd.api.http.ingest_pages import IngestPages, IngestParts
from mtd.api.ingest.heartbeats import Heartbeats
from mtd.app.administration import Meter
from mtd.core.errors import Retryable
from mtd.ingest.copying.door import CopyDoor
from mtd.ingest.push.door import PushDoor, Surroundings
from mtd.ingest.push.inventory import KnownDevices
from mtd.ingest.push.keyring import Keyring
from mtd.ingest.push.limits import Places, Rates
from mtd.ingest.push.reading import BodyReader
from mtd.model.tenant import Quota
from mtd.storage.partitions import TELEMETRY_FRAME
from mtd.storage.retention import Retention
from mtd.storage.stores.enrolments import EnrolmentStore
from mtd.storage.stores.ingest_events import IngestEventStore
from mtd.storage.stores.ingest_inventory import IngestInventoryStore
from mtd.storage.stores.ingest_keys import GoodKeys, IngestKeyStore
from mtd.storage.stores.ingest_logs import IngestLogStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtd.api.access.interfaces import Auditor
    from mtd.api.grpc.server import ServicePart
    from mtd.app.config import Settings
    from mtd.app.identity import Identity
    from mtd.app.pools import Pools
    from mtd.app.secrets import Secrets
    from mtd.ingest.pressure.watch import Pressure
    from mtd.model.catalogue import Catalogue


class Ingesting:
    """The parts of ingest. Made before the doors open, which bound bodies by ``bodies`` and show ``pages`` from then on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = Places(settings.ingest.push, settings.ingest.max_body_bytes)
        self._rates_known: dict[str, float | None] = {}
        self.bodies = BodyLimits.of(settings.ingest, self._places)
        self.pages = IngestPages()

    async def start(
        self,
        log: Any,
        pressure: Pressure,
        pools: Pools,
        secrets: Secrets,
        identity: Identity,
        catalogue: Catalogue,
        auditor: Auditor,
    ) -> None:
        """Join the parts, and begin to follow inventory and keys."""
        config = self._settings.ingest
        self._identity = identity
        inventory, enrolments = IngestInventoryStore(pools.writer), EnrolmentStore(pools.writer)
        rates = Rates(config.push, self._tenant_rate)
        identity.meters[Quota.INGEST_POINTS_PER_S] = _meter(rates)
        self._devices = KnownDevices(inventory)
        self._keyring = Keyring(pools.writer, GoodKeys(pools.writer, secrets.opener), config.push)
        self._reader = BodyReader(config.push)
        around = self._surroundings(log, pressure, pools, catalogue)
        self._push = PushDoor(around, config, rates, self._places)
        heartbeats = Heartbeats(inventory, rates, config.push)
        copies = CopyDoor(
            log,
            IngestLogStore(pools.writer, log.log_id),
            self._devices,
            rates,
            config.append,
            turn=pressure.wait_for_turn,
        )

        async def served(collector_id: str) -> Sequence[str]:
            return (await enrolments.served([collector_id])).get(collector_id, ())

        servicer = IngestServicer(self._push, copies, heartbeats, served, config.push, auditor)
        self._services = ingest_parts(servicer, IngestKeyStore(pools.doors, secrets.sealer))
        for part in (self._devices, self._keyring, self._push):
            await part.start()
        tenancy = identity.tenancy
        self.pages.serve(
            IngestParts(
                self._push,
                self._reader,
                self._keyring,
                heartbeats,
                tenancy.gate,
                tenancy.directory,
                auditor,
            )
        )

    def _surroundings(
        self, log: object, pressure: Pressure, pools: Pools, catalogue: Catalogue
    ) -> Surroundings:
        database = self._settings.database
        retention = Retention(database.retention, database.partitions)
        return Surroundings(
            log,
            catalogue,
            self._devices,
            IngestEventStore(pools.writer),
            lambda now_us: retention.oldest_us(TELEMETRY_FRAME, now_us),
            pressure.buffer_fill,
            pressure.held_back,
        )

    def parts(self) -> Sequence[ServicePart]:
        """Return the services; once it has started."""
        return self._services

    async def stop(self) -> None:
        """Take nothing any more."""
        await self.pages.stop()
        for part in (self._push, self._keyring, self._devices, self._reader):
            await part.stop()

    async def _tenant_rate(self, tenant_id: str) -> float | None:
        """Return a tenant's quota of values per second; what it was, while that can't be read."""
        try:
            found = (await self._identity.tenancy.book.limits(tenant_id)).ingest_points_per_s
        except Retryable:
            return self._rates_known.get(tenant_id)
        self._rates_known[tenant_id] = found
        return found


def _meter(rates: Rates) -> Meter:
    async def used(tenant_id: str) -> tuple[float | None, str]:
        return rates.values_per_s(tenant_id), "sent to this mtd, over the last whole minute"

    return used
