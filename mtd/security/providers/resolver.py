"""What references stand for: fetched in the background, kept fresh, and used on for a while when a provider is away."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Refused, Retryable
from mtd.core.service import TaskGroup
from mtd.security.errors import SecretUnavailable
from mtd.security.interfaces import Fetched, ISecretProvider
from mtd.security.providers import metrics
from mtd.security.providers.config import ProvidersConfig

logger = logging.getLogger(__name__)

Troubled = Callable[[str, str, str], None]
"""Tenant, reference, and what is wrong with it; nothing when it is well again. Called when one becomes the other."""


class Pending(Retryable):
    """A secret was asked for a moment ago, and there was none before."""


@dataclass(slots=True)
class _Kept:
    """What is known of a reference."""

    secret: str | None = field(default=None, repr=False)
    fetched_at: float = 0.0
    due_at: float = 0.0
    problem: str = ""
    task: asyncio.Task[None] | None = None


class SecretResolver:
    """Gives the secrets of references. ``listeners`` hear when one has changed, or can't be had any more."""

    def __init__(
        self,
        providers: Mapping[str, ISecretProvider],
        config: ProvidersConfig | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._providers = providers
        self._config = config or ProvidersConfig()
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._kept_of: Counter[str] = Counter()  # how many, by tenant
        self._places = asyncio.Semaphore(self._config.at_once)
        self._tasks = TaskGroup("secrets")
        self.listeners: set[Callable[[], None]] = set()
        self.troubled: Troubled | None = None

    def start(self) -> None:
        """Begin to keep fresh what is used."""
        self._tasks.spawn("refresh", self._refresh())

    async def stop(self) -> None:
        """End what is under way, and close the providers."""
        await self._tasks.stop()
        for provider in self._providers.values():
            await provider.stop()

    def check(self, tenant_id: str, reference: str) -> None:
        """Raise Refused for a reference that no provider will ever serve."""
        provider, path = self._provider(reference)
        provider.check(tenant_id, path)

    def look(self, tenant_id: str, reference: str) -> str | Exception:
        """Return a secret, or why there is none: Pending while it is fetched, SecretUnavailable. Doesn't wait."""
        kept = self._wanted(tenant_id, reference)
        if isinstance(kept, Exception):
            return kept
        if kept.secret is not None:
            return kept.secret
        return SecretUnavailable(kept.problem) if kept.problem else Pending(f"{reference} is being fetched")

    async def resolve(self, tenant_id: str, reference: str) -> str:
        """Return a secret; wait for it where there is none yet. Raises SecretUnavailable."""
        kept = self._wanted(tenant_id, reference)
        if isinstance(kept, Exception):
            raise kept
        if kept.secret is None and kept.task is not None:
            await asyncio.wait([kept.task])
        found = self.look(tenant_id, reference)
        if isinstance(found, Pending):
            raise SecretUnavailable(f"{reference} didn't come in time: try again")
        if isinstance(found, Exception):
            raise found
        return found

    def keep(self, used: AbstractSet[tuple[str, str]]) -> None:
        """Forget all references but those that are used, and those that somebody waits for."""
        for key in self._kept.keys() - used:
            task = self._kept[key].task
            if task is None or task.done():
                del self._kept[key]
                self._kept_of[key[0]] -= 1
        metrics.REFERENCES.set(len(self._kept))

    def _wanted(self, tenant_id: str, reference: str) -> _Kept | SecretUnavailable:
        key = (tenant_id, reference)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        most, own = self._config.most_references, self._kept_of[tenant_id]
        # Half of them at the most: a tenant that names and names leaves room for the others.
        if len(self._kept) >= most or own >= max(1, most // 2):
            metrics.REFUSED.inc()
            return SecretUnavailable(
                f"{reference} isn't fetched: there are {own} references of the tenant already, or too many in all,"
                " see security.providers.most_references"
            )
        kept = self._kept[key] = _Kept()
        self._kept_of[tenant_id] += 1
        metrics.REFERENCES.set(len(self._kept))
        self._begin(key, kept)
        return kept

    def _begin(self, key: tuple[str, str], kept: _Kept) -> None:
        if kept.task is None or kept.task.done():
            kept.task = self._tasks.spawn("fetch", self._fetch(key, kept))

    async def _fetch(self, key: tuple[str, str], kept: _Kept) -> None:
        tenant_id, reference = key
        before = kept.secret, bool(kept.problem)
        try:
            fetched = await self._fetched(tenant_id, reference)
        except MtdError as error:
            metrics.FETCHES.labels(scheme=self._scheme(reference), result="failed").inc()
            self._failed(key, kept, f"{reference}: {error}")
        else:
            metrics.FETCHES.labels(scheme=self._scheme(reference), result="ok").inc()
            now = self._clock.monotonic()
            kept.secret, kept.fetched_at = fetched.secret, now
            lifetime = fetched.lifetime_s or self._config.refresh_s
            kept.due_at = now + max(self._config.retry_s, min(lifetime, self._config.refresh_s))
            self._tell(key, kept, "")
        if before != (kept.secret, bool(kept.problem)):
            for listener in list(self.listeners):
                listener()

    def _failed(self, key: tuple[str, str], kept: _Kept, problem: str) -> None:
        now = self._clock.monotonic()
        kept.due_at = now + self._config.retry_s
        if kept.secret is not None and now - kept.fetched_at > self._config.stale_s:
            kept.secret = None
            problem += f"; what it was is older than {self._config.stale_s:g} s and isn't used any more"
            metrics.EXPIRED.inc()
        self._tell(key, kept, problem)

    def _tell(self, key: tuple[str, str], kept: _Kept, problem: str) -> None:
        before, kept.problem = kept.problem, problem
        metrics.FAILING.set(sum(bool(one.problem) for one in self._kept.values()))
        if problem and problem != before:
            logger.warning("a secret can't be had: %s", problem)
        if self.troubled is not None and bool(problem) != bool(before):
            self.troubled(*key, problem)

    async def _fetched(self, tenant_id: str, reference: str) -> Fetched:
        provider, path = self._provider(reference)
        provider.check(tenant_id, path)
        try:
            async with self._places, asyncio.timeout(self._config.timeout_s):
                found: Fetched = await provider.fetch(tenant_id, path)
        except TimeoutError:
            raise SecretUnavailable(f"no answer within {self._config.timeout_s:g} s") from None
        except MtdError:
            raise
        except Exception as error:
            # A plugin may raise anything, and its text might hold anything: only what it is is told.
            raise SecretUnavailable(f"the provider failed with {type(error).__name__}") from None
        return found

    def _provider(self, reference: str) -> tuple[ISecretProvider, str]:
        scheme, colon, path = reference.partition(":")
        provider = self._providers.get(scheme) if colon else None
        if provider is None:
            known = ", ".join(sorted(self._providers)) or "none, see security.providers"
            raise Refused(f"{scheme!r} is no provider of secrets that is set up; there are: {known}")
        return provider, path

    def _scheme(self, reference: str) -> str:
        scheme = reference.partition(":")[0]
        return scheme if scheme in self._providers else "unknown"

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self._config.look_s)
            now = self._clock.monotonic()
            for key, kept in list(self._kept.items()):
                if now >= kept.due_at:
                    self._begin(key, kept)
