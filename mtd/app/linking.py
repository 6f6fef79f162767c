"""Links with edges, on a hub: the parts joined."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from mtd import __version__
from mtd.api.grpc.link import link_part
from mtd.api.link.parts import EdgeState, LinkParts
from mtd.core.clock import LEASE_CLOCK
from mtd.core.errors import Retryable
from mtd.queries.tables import TableQueries
from mtd.storage.stores.enrolments import EnrolmentStore
from mtd.storage.stores.ingest_inventory import AgentState, IngestInventoryStore

if TYPE_CHECKING:
    from mtd.api.grpc.server import ServicePart
    from mtd.api.link.desk import LinkDesk
    from mtd.app.collectors import Collectors
    from mtd.app.config import Settings
    from mtd.app.pools import Pools
    from mtd.security.pseudonyms import Pseudonyms

AGENT = "mtd"
"""What an edge is called among the programs that send."""


class Linking:
    """The hub's end of all links."""

    def __init__(
        self,
        settings: Settings,
        pools: Pools,
        coordination: Any,
        pseudonyms: Pseudonyms,
        collectors: Collectors | None,
        desk: LinkDesk,
    ) -> None:
        self._agents = IngestInventoryStore(pools.writer)
        enrolments = EnrolmentStore(pools.writer)

        async def served(collector_id: str) -> Collection[str]:
            return (await enrolments.served([collector_id])).get(collector_id, ())

        self._parts = LinkParts(
            coordination=coordination,
            desk=desk,
            served=served,
            names_key=pseudonyms.key_of,
            rows=TableQueries(pools.writer).rows_of,
            saw=(lambda _id, _peer: None) if collectors is None else collectors.saw,
            store=self._store,
            config=settings.link,
            renew_s=settings.coordination.renew_s,
            version=__version__,
            clock=LEASE_CLOCK,
        )

    def parts(self) -> list[ServicePart]:
        """Return the services."""
        return [link_part(self._parts)]

    async def _store(self, state: EdgeState) -> None:
        report = state.report
        agent = AgentState(
            tenant_id=state.tenant_id,
            source=f"collector:{state.collector_id}@{state.tenant_id}",
            agent=AGENT,
            version=state.version,
            capabilities=list(state.capabilities),
            buffer_depth=report.buffer_events,
            jobs_running=report.devices,
            poll_errors=report.poll_errors,
            clock_ahead_s=state.clock_ahead_s,
            report=report,
        )
        if not await self._agents.put_agent(agent):
            raise Retryable("the tenant has too many programs that send")
