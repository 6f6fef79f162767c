"""Calls that are being served, by what their callers proved themselves with: a proof that ends, ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager

from mtd.api import metrics
from mtd.core.errors import Unauthenticated
from mtd.model.principal import Principal


class RunningCalls:
    """Knows the calls of callers with a `Principal.proof`: a stream may outlast a certificate or a token by days."""

    def __init__(self) -> None:
        self._scopes: dict[str, set[asyncio.Timeout]] = {}

    @property
    def proofs(self) -> Collection[str]:
        """The proofs that calls run by."""
        return tuple(self._scopes)

    @asynccontextmanager
    async def serving(self, caller: Principal) -> AsyncIterator[None]:
        """Serve a call within the context. Raises Unauthenticated when what its caller showed is ended."""
        if not caller.proof:
            yield
            return
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scopes.setdefault(caller.proof, set()).add(scope)
                try:
                    yield
                finally:
                    self._leave(caller.proof, scope)
        except TimeoutError:
            if not scope.expired():
                raise
            metrics.ACCESS_REFUSED.labels(reason="ended").inc()
            raise Unauthenticated(f"what {caller} showed isn't good any more") from None

    def end(self, proofs: Iterable[str]) -> int:
        """End the calls of proofs that aren't good any more; return how many."""
        now, ended = asyncio.get_running_loop().time(), 0
        for proof in proofs:
            for scope in self._scopes.pop(proof, ()):
                scope.reschedule(now)
                ended += 1
        return ended

    def _leave(self, proof: str, scope: asyncio.Timeout) -> None:
        scopes = self._scopes.get(proof)
        if scopes is not None:
            scopes.discard(scope)
            if not scopes:
                del self._scopes[proof]
