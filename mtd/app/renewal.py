"""A collector's own certificate: renewed before it expires, and taken by its clients without a restart."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtd.app.identity_files import Identity, IdentityFiles, Trust
from mtd.app.metrics import IDENTITY_LEFT_SECONDS, IDENTITY_RENEWALS
from mtd.client import AsyncMtdClient, MtdClientError
from mtd.client.collectors import Issued, renew
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.security.certificates import key_pem, new_key, request_pem, time_of

logger = logging.getLogger(__name__)

_LOOK_S = 600.0
_DUE_SHARE = 1 / 3
_WARN_SHARE = 1 / 6
"""Of the life of a certificate: twice as much was left when renewing began to fail."""
_JITTER_SHARE = 1 / 20
_WARN_EVERY_US = 86_400_000_000
_TIMEOUT_S = 30.0

EXPIRING = "collector.certificate.expiring"
RENEWED = "collector.certificate.renewed"

Tell = Callable[[StateChange], None]


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at the certificate."""

    renewed: bool
    failure: str = ""


class IdentityKeeper:
    """Renews when a third of the life is left.

    A little earlier, so that collectors that enrolled together don't come together. ``tell`` is given an event when
    the certificate is soon to expire, once a day, and when it was renewed after that. ``targets``: where hubs are that
    may give the next certificate, too.
    """

    def __init__(
        self,
        files: IdentityFiles,
        identity: Identity,
        tell: Tell,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        targets: Sequence[str] = (),
    ) -> None:
        self._targets = tuple(targets)
        self._files = files
        self._identity = identity
        self._tell = tell
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads load
        self._early = self._rng.random() * _JITTER_SHARE
        self._tasks = TaskGroup("app.identity")
        self._listeners: list[Callable[[Identity], None]] = []
        self._warned_us: int | None = None
        self._looking = asyncio.Lock()

    @property
    def identity(self) -> Identity:
        """The newest identity."""
        return self._identity

    def listen(self, changed: Callable[[Identity], None]) -> None:
        """Call a function with each new identity: who has a channel to the hub opens another one."""
        self._listeners.append(changed)

    async def start(self) -> None:
        """Look after the certificate from now on."""
        self._tasks.spawn("renewal", self._keep())

    async def stop(self) -> None:
        """Look after it no more."""
        await self._tasks.stop()

    async def look(self) -> Look:
        """Renew the certificate if it is due; warn if it is soon to expire all the same."""
        async with self._looking:
            share = self._share_left()
            looked = Look(renewed=False)
            if share <= _DUE_SHARE + self._early:
                looked = await self._renew()
            self._measure(looked)
            return looked

    async def _renew(self) -> Look:
        key = await asyncio.to_thread(new_key)
        identity = self._identity
        try:
            issued = await self._ask_for_next(identity, request_pem(key, identity.name))
            trust = await asyncio.to_thread(_trust_of, identity)
            self._identity = await asyncio.to_thread(
                self._files.store, key_pem(key), issued, identity.target, trust
            )
        except (MtdClientError, MtdError, OSError) as error:
            IDENTITY_RENEWALS.labels(result="failed").inc()
            logger.warning(
                "the certificate of this collector can't be renewed at %s: %s", identity.target, error
            )
            return Look(renewed=False, failure=str(error))
        IDENTITY_RENEWALS.labels(result="ok").inc()
        self._early = self._rng.random() * _JITTER_SHARE
        logger.info(
            "the certificate of this collector is renewed, good until %s",
            time_of(self._identity.facts.not_after_us),
        )
        for changed in self._listeners:
            changed(self._identity)
        return Look(renewed=True)

    async def _ask_for_next(self, identity: Identity, request: bytes) -> Issued:
        """Return the next certificate, of the first hub that gives one. Raises what the own hub said."""
        failure: MtdClientError | None = None
        for target in dict.fromkeys((identity.target, *self._targets)):
            client = await asyncio.to_thread(_client_of, identity, target)
            try:
                return await client.ask(renew(request))
            except MtdClientError as error:
                failure = failure or error
            finally:
                await client.close()
        assert failure is not None
        raise failure

    def _measure(self, looked: Look) -> None:
        now_us = self._clock.now_us()
        days = self._identity.facts.days_left(now_us)
        IDENTITY_LEFT_SECONDS.set(days * 86_400)
        if self._share_left() > _WARN_SHARE:
            if self._warned_us is not None:
                self._warned_us = None
                self._tell(self._event(RENEWED, Severity.INFO, f"renewed: good for {days:.1f} days"))
            return
        if self._warned_us is not None and now_us - self._warned_us < _WARN_EVERY_US:
            return
        self._warned_us = now_us
        why = f": {looked.failure}" if looked.failure else ""
        if days > 0:
            text = f"the certificate of this collector expires in {days:.1f} days, and can't be renewed{why}"
        else:
            text = "the certificate of this collector has expired: the hub lets it in no more until it enrols again"
        logger.error("%s", text)
        self._tell(self._event(EXPIRING, Severity.CRITICAL if days <= 1 else Severity.WARNING, text))

    def _event(self, event_type: str, severity: Severity, message: str) -> StateChange:
        identity = self._identity
        return StateChange(
            event_type=event_type,
            severity=severity,
            entity_type="collector",
            entity_id=identity.name,
            entity_label=identity.name,
            field="certificate",
            old="",
            new=time_of(identity.facts.not_after_us).isoformat(),
            message=message,
        )

    def _share_left(self) -> float:
        facts = self._identity.facts
        return (facts.not_after_us - self._clock.now_us()) / max(1, facts.not_after_us - facts.not_before_us)

    async def _keep(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S * (0.9 + 0.2 * self._rng.random()))


class HubClient:
    """A client of a hub that follows the identity: ask `current` each time, and keep nothing that it gave for long.

    With several ``targets``, `failed` goes on to the next one. The client before is closed when what it was asked had
    time to be answered.
    """

    def __init__(self, keeper: IdentityKeeper, targets: Sequence[str] = (), grace_s: float = 60.0) -> None:
        self._keeper = keeper
        self._targets = tuple(dict.fromkeys((keeper.identity.target, *targets)))
        self._place = 0
        self._grace_s = grace_s
        self._tasks = TaskGroup("app.hub_client")
        self._client: AsyncMtdClient | None = None
        self._failed: AsyncMtdClient | None = None
        self._replacing = asyncio.Lock()

    @property
    def current(self) -> AsyncMtdClient:
        """The client that shows the newest certificate."""
        assert self._client is not None, "it was not started"
        return self._client

    async def start(self) -> None:
        """Read the certificate. Raises MtdClientError if that can't be."""
        self._client = await asyncio.to_thread(_client_of, self._keeper.identity, self._targets[0])
        self._keeper.listen(self._changed)

    async def stop(self) -> None:
        """Close all connections."""
        await self._tasks.stop()
        if self._client is not None:
            await self._client.close()

    def failed(self, client: AsyncMtdClient) -> None:
        """A hub couldn't be reached with a client: call the next one, unless somebody said so before."""
        if len(self._targets) == 1 or client is not self._client or client is self._failed:
            return
        self._failed = client
        self._place = (self._place + 1) % len(self._targets)
        self._tasks.spawn("next", self._replace())

    def _changed(self, _identity: Identity) -> None:
        self._tasks.spawn("replace", self._replace())

    async def _replace(self) -> None:
        async with self._replacing:
            try:
                made = await asyncio.to_thread(_client_of, self._keeper.identity, self._targets[self._place])
            except MtdClientError as error:
                logger.error("the certificate of this collector can't be used: %s", error)
                self._failed = None  # it is tried again when a call fails again
                return
            before, self._client = self._client, made
        if before is None:
            return
        try:
            await asyncio.sleep(self._grace_s)
        finally:
            await before.close()


def _client_of(identity: Identity, target: str = "") -> AsyncMtdClient:
    return AsyncMtdClient(
        target or identity.target,
        timeout_s=_TIMEOUT_S,
        tls=True,
        ca_file=identity.ca_file,
        certificate_file=identity.certificate_file,
        key_file=identity.key_file,
    )


def _trust_of(identity: Identity) -> Trust:
    """Return how the hub is known after a renewal: its own CA may have a successor, which it tells."""
    if identity.ca_file is None:
        return Trust(public=True)
    return Trust(identity.ca_file.read_bytes()) if identity.own_ca else Trust()
