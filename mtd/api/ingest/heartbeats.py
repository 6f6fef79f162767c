"""Programs that send say that they are alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import QuotaExceeded, Refused
from mtd.ingest.config import PushConfig
from mtd.ingest.push import metrics
from mtd.ingest.push.door import Sender
from mtd.ingest.push.limits import Rates
from mtd.storage.stores.ingest_inventory import MOST_AGENTS, AgentState, IngestInventoryStore

_NAME_CHARACTERS = 128
_CAPABILITIES = 64
_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a program says of itself. ``sent_us``: its clock, 0 if it didn't tell."""

    agent: str
    version: str = ""
    sent_us: int = 0
    buffer_depth: int = 0
    jobs_running: int = 0
    poll_errors: int = 0
    capabilities: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """What it is told."""

    server_us: int
    clock_ahead_s: float
    interval_s: float


class Heartbeats:
    """Takes heartbeats, and stores the newest of each program."""

    def __init__(
        self, store: IngestInventoryStore, rates: Rates, config: PushConfig, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store = store
        self._rates = rates
        self._config = config
        self._clock = clock

    async def take(self, sender: Sender, beat: Heartbeat) -> HeartbeatAnswer:
        """Store what a program says. Raises Refused, QuotaExceeded, Retryable."""
        self._rates.take_request(sender.tenant_id, sender.caller_id)
        _check(beat)
        now_us = self._clock.now_us()
        ahead_s = (beat.sent_us - now_us) / 1e6 if beat.sent_us else 0.0
        state = AgentState(
            sender.tenant_id,
            sender.caller_id,
            beat.agent,
            beat.version,
            list(beat.capabilities),
            beat.buffer_depth,
            beat.jobs_running,
            beat.poll_errors,
            ahead_s,
        )
        if not await self._store.put_agent(state):
            raise QuotaExceeded(f"the tenant has {MOST_AGENTS} programs that send already: give few names")
        metrics.HEARTBEATS.inc()
        return HeartbeatAnswer(now_us, ahead_s, self._config.heartbeat_interval_s)


def _check(beat: Heartbeat) -> None:
    if not beat.agent:
        raise Refused("agent: say which program this is")
    if len(beat.capabilities) > _CAPABILITIES:
        raise Refused(f"capabilities: at most {_CAPABILITIES} words")
    for text in (beat.agent, beat.version, *beat.capabilities):
        if len(text) > _NAME_CHARACTERS or not text.isprintable():
            raise Refused(f"a name has at most {_NAME_CHARACTERS} printable characters")
    for number, most in ((beat.buffer_depth, _INT64), (beat.jobs_running, 2**31), (beat.poll_errors, _INT64)):
        if not 0 <= number < most:
            raise Refused("buffer_depth, jobs_running and poll_errors are counts, not below zero")
