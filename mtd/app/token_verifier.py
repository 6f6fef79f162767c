"""API tokens as proof of who calls."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections import OrderedDict
from dataclasses import replace

from mtd.api.access.interfaces import Credentials, Tenants
from mtd.api.access.running import RunningCalls
from mtd.app.remembering import Remembered
from mtd.core.clock import Clock
from mtd.core.errors import MtdError, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.attempts import Attempts, peer_host
from mtd.security.tokens import Token, parse_token
from mtd.storage.stores.tokens import TokenProof, TokenRecord, TokenStore

logger = logging.getLogger(__name__)

_KIND = "token"
_KEPT_S = 5.0
_MOST = 10_000
_USED_EVERY_S = 300.0
_REFUSAL = "the token isn't one that mtd gave out, or it is no longer good"


class TokenVerifier:
    """See `Verifier`: knows bearers that look like tokens of mtd.

    Who shows wrong ones again and again has to wait; tokens that were good before are looked at all the same, so
    that somebody behind the same address can't shut them out. Calls in ``running`` end when their token does, or
    when its tenant is switched off.
    """

    def __init__(
        self,
        store: TokenStore,
        tenants: Tenants,
        attempts: Attempts,
        running: RunningCalls,
        clock: Clock,
        *,
        home: str = DEFAULT_TENANT_ID,
    ) -> None:
        self._home = home
        self._tenants = tenants
        self._running = running
        self._ended: set[str] = set()  # proofs of running calls
        self._look_again = asyncio.Event()
        self._store = store
        self._attempts = attempts
        self._clock = clock
        self._found: Remembered[str, TokenProof | None] = Remembered(_KEPT_S, _MOST, clock)
        self._good: OrderedDict[bytes, None] = OrderedDict()  # digests of tokens that were good
        self._noted: OrderedDict[str, float] = OrderedDict()  # when a token's use was noted
        self._tasks = TaskGroup("app.tokens")

    async def verify(self, credentials: Credentials) -> Principal | None:
        """Return who shows a token. Raises Unauthenticated for a bad one, QuotaExceeded after too many."""
        if not credentials.bearer.startswith("mtd_"):
            return None
        peer = peer_host(credentials.peer)
        token = parse_token(credentials.bearer)
        if token is None or token.digest not in self._good:
            self._attempts.check(peer)
        proof = None if token is None else await self._lookup(token)
        if token is None or proof is None or not _is_good(proof, token.digest, self._now()):
            self._attempts.failed(peer)
            error = Unauthenticated(_REFUSAL)
            if token is not None and proof is not None and proof.knows(token.digest):
                error.claimed = self._principal_of(proof.token, credentials.peer)
            raise error
        self._note(proof.token)
        return replace(
            self._principal_of(proof.token, credentials.peer),
            proof=f"{_KIND} {token.token_id} {token.digest.hex()}",
        )

    def _principal_of(self, found: TokenRecord, peer: str) -> Principal:
        # Super-admins belong to no tenant: they work for the home unless they say for which.
        tenant_id = self._home if found.tenant_id == NO_TENANT_ID else found.tenant_id
        return Principal(
            CallerKind.TOKEN, found.name, tenant_id, found.role, peer, found.token_id, found.scopes
        )

    def forget(self) -> None:
        """Keep nothing: something changed."""
        self._found.forget()
        self._look_again.set()

    async def start(self) -> None:
        """Begin to end calls whose tokens end."""
        self._running.judge(_KIND, lambda proof: proof not in self._ended)
        self._tasks.spawn("watch", self._watch())

    async def stop(self) -> None:
        """End what runs in the background."""
        await self._tasks.stop()

    async def _watch(self) -> None:
        """Look again at the tokens of running calls: when something changed, and as time goes on."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KEPT_S):
                    await self._look_again.wait()
            self._look_again.clear()
            try:
                ended = {proof for proof in self._running.proofs(_KIND) if not await self._still_good(proof)}
            except MtdError as error:
                # They were good a moment ago: PostgreSQL being away ends nobody's streams.
                logger.warning("the tokens of running calls can't be looked at: %s", error)
                continue
            self._ended = ended
            if count := self._running.look_again(_KIND):
                logger.info("%d calls ended with the tokens of their callers", count)

    async def _still_good(self, proof: str) -> bool:
        _, token_id, digest = proof.split(" ")
        found = await self._found.get(token_id, lambda: self._store.find(token_id))
        if found is None or not _is_good(found, bytes.fromhex(digest), self._now()):
            return False
        if found.token.tenant_id == NO_TENANT_ID:
            return True
        tenant = await self._tenants.tenant(found.token.tenant_id)
        return tenant is not None and tenant.enabled

    async def _lookup(self, token: Token) -> TokenProof | None:
        """Return what is known of a token, whether or not it is good; None if there is none of its id."""
        kept = self._found.peek(token.token_id)
        if kept is not None and _is_good(kept, token.digest, self._now()):
            proof: TokenProof | None = kept
        else:
            # What is kept may be older than the secret: a token that was rotated a moment ago is good at once.
            self._found.drop(token.token_id)
            proof = await self._found.get(token.token_id, lambda: self._store.find(token.token_id))
        if proof is None or not _is_good(proof, token.digest, self._now()):
            self._good.pop(token.digest, None)
            return proof
        self._good[token.digest] = None
        self._good.move_to_end(token.digest)
        while len(self._good) > _MOST:
            self._good.popitem(last=False)
        return proof

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock.now_us() / 1e6, dt.UTC)

    def _note(self, token: TokenRecord) -> None:
        """Note in PostgreSQL, now and then and aside, that a token is used."""
        now = self._clock.monotonic()
        noted = self._noted.get(token.token_id)
        if noted is not None and now - noted < _USED_EVERY_S:
            return
        self._noted[token.token_id] = now
        self._noted.move_to_end(token.token_id)
        while len(self._noted) > _MOST:
            self._noted.popitem(last=False)
        self._tasks.spawn("used", self._write_use(token))

    async def _write_use(self, token: TokenRecord) -> None:
        try:
            await self._store.used(token)
        except MtdError as error:
            logger.debug("the use of the token %s couldn't be noted: %s", token.name, error)


def _is_good(proof: TokenProof, digest: bytes, now: dt.datetime) -> bool:
    record = proof.token
    in_time = record.expires_at is None or now < record.expires_at
    return proof.proves(digest, now) and in_time and record.revoked_at is None
