"""Calls that are being served, by what their callers proved themselves with: a proof that ends, ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mtd.api import metrics
from mtd.core.errors import Unauthenticated
from mtd.model.principal import Principal

IsGood = Callable[[str], bool]
"""Tells whether a proof would still let its caller in."""


class RunningCalls:
    """Knows the calls of callers with a `Principal.proof`: a stream may outlast a certificate or a token by days.

    A proof is a word for its kind, a space, and what it is. For each kind somebody judges.
    """

    def __init__(self) -> None:
        self._judges: dict[str, IsGood] = {}
        self._scopes: dict[str, set[asyncio.Timeout]] = {}

    def judge(self, kind: str, is_good: IsGood) -> None:
        """Have a function judge the proofs of a kind."""
        self._judges[kind] = is_good

    def proofs(self, kind: str) -> list[str]:
        """Return the proofs of a kind whose callers are being served."""
        return [proof for proof in self._scopes if proof.startswith(f"{kind} ")]

    @asynccontextmanager
    async def serving(self, caller: Principal) -> AsyncIterator[None]:
        """Serve a call within the context. Raises Unauthenticated if what its caller showed isn't good any more."""
        if not caller.proof:
            yield
            return
        if not self._is_good(caller.proof):  # it ended between the gate and here
            raise _ended(caller)
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
            raise _ended(caller) from None

    def look_again(self, kind: str) -> int:
        """End the calls whose proofs of a kind aren't good any more; return how many."""
        now, ended = asyncio.get_running_loop().time(), 0
        bad = [proof for proof in self.proofs(kind) if not self._is_good(proof)]
        for proof in bad:
            for scope in self._scopes.pop(proof):
                scope.reschedule(now)
                ended += 1
        return ended

    def _is_good(self, proof: str) -> bool:
        judge = self._judges.get(proof.partition(" ")[0])
        return judge is None or judge(proof)

    def _leave(self, proof: str, scope: asyncio.Timeout) -> None:
        scopes = self._scopes.get(proof)
        if scopes is not None:
            scopes.discard(scope)
            if not scopes:
                del self._scopes[proof]


def _ended(caller: Principal) -> Unauthenticated:
    metrics.ACCESS_REFUSED.labels(reason="ended").inc()
    return Unauthenticated(f"what {caller} showed isn't good any more")
