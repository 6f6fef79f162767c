"""Signatures of what is sent: HMAC-SHA-256 with a key of the sender's, each good once.

What is signed is a text of six lines: the version ``v1``, the method, the path,
the time in seconds since 1970, the nonce, and the SHA-256 of the body as it is
sent, in hexadecimal digits.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import hmac
import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, QuotaExceeded, Retryable, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.ingest.config import PushConfig
from mtd.ingest.push import metrics
from mtd.storage.pool import Database
from mtd.storage.stores.ingest_keys import CHANNEL, GoodKey, GoodKeys

logger = logging.getLogger(__name__)

VERSION = "v1"
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})", re.ASCII)
_TOUCH_S = 30.0
# Whatever is told, or not: a key that was revoked is gone after this.
_LOOK_S = 60.0
_RETRY_S = 2.0
# All keys of all tenants are read: who changes theirs all the time isn't to have us do nothing else.
_PAUSE_S = 0.2
_SPEND_S = 1.0
# Somebody who guesses keys learns nothing from how long it takes: as long as with a real one.
_NO_SECRET = b"nobody's"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signed request says, as it is told by its headers."""

    key_id: str
    time: str
    nonce: str
    signature: str = field(repr=False)
    method: str
    path: str


class BadSignature(Unauthenticated):
    """A signature that isn't good. ``key``: the key that did make it, some other time."""

    def __init__(self, text: str, key: GoodKey | None = None, hint: str = "") -> None:
        super().__init__(text)
        self.key = key
        self.hint = hint


def text_of(method: str, path: str, time: str, nonce: str, digest: str) -> bytes:
    """Return what is signed; ``digest`` is the body's SHA-256, in hexadecimal digits."""
    return "\n".join((VERSION, method, path, time, nonce, digest)).encode()


def sign(secret: bytes, method: str, path: str, time: str, nonce: str, body: bytes) -> str:
    """Return a signature, as it stands in the header."""
    digest = hashlib.sha256(body).hexdigest()
    made = hmac.new(secret, text_of(method, path, time, nonce, digest), hashlib.sha256).hexdigest()
    return f"{VERSION}={made}"


class Keyring:
    """Verifies signatures against the keys of all tenants, which it holds in memory and follows.

    A nonce is remembered for as long as its signature would be good: here, and in PostgreSQL for the other hubs
    (``spend``). What was signed before this process began is refused, with the advice to sign it
    again: it may have been sent to the process before.
    """

    def __init__(self, db: Database, keys: GoodKeys, config: PushConfig, clock: Clock = SYSTEM_CLOCK) -> None:
        self._db = db
        self._store = keys
        self._config = config
        self._clock = clock
        self._tasks = TaskGroup("ingest.keyring")
        self._keys: Mapping[str, GoodKey] | None = None
        self._nonces: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()  # until when, of whom
        self._nonces_of: Counter[str] = Counter()  # by tenant
        self._began_s = clock.now_us() // 1_000_000
        self._used: dict[str, dt.datetime] = {}

    def __repr__(self) -> str:
        return f"Keyring({len(self._keys or ())} keys)"  # never the secrets

    async def start(self) -> None:
        """Begin to follow the keys, in the background."""
        self._tasks.spawn("follow", self._follow())
        self._tasks.spawn("touch", self._touch())

    async def stop(self) -> None:
        """Stop; when keys were used is written down."""
        await self._tasks.stop()
        await self._write_used()

    async def _follow(self) -> None:
        changed = asyncio.Event()
        listening = await self._db.listen(CHANNEL, lambda _: changed.set())
        try:
            changed.set()
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _LOOK_S)
                changed.clear()
                try:
                    keys, problems = await self._store.load()
                except MtdError as error:
                    logger.warning("the ingest keys can't be read: %s", error)
                    changed.set()
                    await asyncio.sleep(_RETRY_S)
                    continue
                self.use(keys)
                for problem in problems:
                    logger.error("%s", problem)
                await asyncio.sleep(_PAUSE_S)
        finally:
            await listening.stop()

    def use(self, keys: Mapping[str, GoodKey]) -> None:
        """Hold signatures against these keys from now on."""
        self._keys = keys
        metrics.KEYS.set(len(keys))

    def verify(self, signed: Signed, digest: str) -> GoodKey:
        """Return the key that signed a body, of which the digest is given. Raises Unauthenticated, and Retryable or QuotaExceeded if it can't be told."""
        if self._keys is None:
            raise self._refusal("starting", Retryable("mtd is starting and doesn't know its keys yet"))
        signature = _SIGNATURE.fullmatch(signed.signature)
        if not (signature and _TIME.fullmatch(signed.time) and _NONCE.fullmatch(signed.nonce)):
            raise self._refusal("malformed", BadSignature("the headers of the signature aren't well formed"))
        now_s = self._clock.now_us() / 1e6
        key = self._keys.get(signed.key_id)
        text = text_of(signed.method, signed.path, signed.time, signed.nonce, digest)
        if not _matches(key, text, signature[1], now_s) or key is None:
            # The same words for both: nobody learns which keys there are.
            outcome = "unknown_key" if key is None else "wrong"
            raise self._refusal(outcome, BadSignature("the signature isn't one of a key that is good"))
        self._check_time(key, int(signed.time), now_s)
        self._use(signed, key, now_s)
        self._used[key.key_id] = dt.datetime.fromtimestamp(now_s, dt.UTC)
        metrics.SIGNATURES.labels(outcome="good").inc()
        return key

    async def spend(self, signed: Signed, key: GoodKey) -> None:
        """Have a signature that was verified good nowhere else. Raises Unauthenticated if another hub has had it.

        While PostgreSQL doesn't answer, each hub knows its own.
        """
        try:
            fresh = await self._store.spend(key.tenant_id, signed.key_id, signed.nonce, _SPEND_S)
        except Retryable:
            metrics.NONCES_UNSHARED.inc()
            return
        if not fresh:
            raise self._refusal(
                "replayed", BadSignature("the nonce was used before: sign each request anew", key)
            )

    def _check_time(self, key: GoodKey, time_s: int, now_s: float) -> None:
        off_s = time_s - now_s
        if abs(off_s) > self._config.clock_tolerance_s:
            error = BadSignature(
                f"the signature's time is {abs(off_s):,.0f} s {'ahead of' if off_s > 0 else 'behind'} mtd's clock",
                key,
                "set the sender's clock, and sign each request as it is sent",
            )
            raise self._refusal("stale", error)
        if time_s < self._began_s:
            raise self._refusal(
                "starting", Retryable("mtd has started since this was signed: sign it again, and send it")
            )

    def _use(self, signed: Signed, key: GoodKey, now_s: float) -> None:
        """Remember a nonce. Raises Unauthenticated if it was used, QuotaExceeded if there are too many."""
        while self._nonces and next(iter(self._nonces.values()))[0] < now_s:
            _, (_, tenant_id) = self._nonces.popitem(last=False)
            self._nonces_of[tenant_id] -= 1
        name = (signed.key_id, signed.nonce)
        if name in self._nonces:
            raise self._refusal(
                "replayed", BadSignature("the nonce was used before: sign each request anew", key)
            )
        # A tenant that signs and signs leaves room for the others.
        own_most = self._config.nonces // 4
        if len(self._nonces) >= self._config.nonces or self._nonces_of[key.tenant_id] >= own_most:
            raise self._refusal(
                "full", QuotaExceeded("too many signatures are remembered already", retry_after_s=1.0)
            )
        # All as long as the one that is good the longest, so that the oldest leaves first.
        self._nonces[name] = now_s + 2 * self._config.clock_tolerance_s, key.tenant_id
        self._nonces_of[key.tenant_id] += 1

    @staticmethod
    def _refusal(outcome: str, error: Exception) -> Exception:
        metrics.SIGNATURES.labels(outcome=outcome).inc()
        return error

    async def _touch(self) -> None:
        while True:
            await asyncio.sleep(_TOUCH_S)
            await self._write_used()
            try:
                await self._store.forget_nonces(2 * self._config.clock_tolerance_s)
            except Retryable as error:
                logger.warning("old nonces can't be forgotten: %s", error)

    async def _write_used(self) -> None:
        used, self._used = self._used, {}
        try:
            await self._store.touch(used)
        except Retryable as error:
            self._used = {**used, **self._used}
            logger.warning("when ingest keys were used can't be written down: %s", error)


def _matches(key: GoodKey | None, text: bytes, signature: str, now_s: float) -> bool:
    """Return whether one of the secrets of a key made a signature; takes the same time whatever it is."""
    secrets = [(_NO_SECRET, None)] if key is None else key.secrets
    found = False
    for secret, until in secrets:
        made = hmac.new(secret, text, hashlib.sha256).hexdigest()
        good = until is None or until.timestamp() > now_s
        found |= hmac.compare_digest(made, signature) and good
    return found and key is not None
