"""Leases in a bucket of NATS JetStream: one key for each, changed only if nobody changed it meanwhile.

The bucket can be looked at with ``nats kv``. Everything is asked of its leader:
a copy that lags would give away what somebody holds.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from zope.interface import implementer

from mtd.coordination.interfaces import ILeaseStore
from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.core.errors import LeaseLost
from mtd.eventlog.config import JetStreamConfig
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.jetstream.connection import ApiError, Connection
from mtd.eventlog.jetstream.errors import WrongSequence
from mtd.model.assignment import Lease, LeaseState
from mtd.storage.errors import StorageUnavailable

T = TypeVar("T")

_NO_STREAM = 10059
_NO_MESSAGE = 10037
_EXISTS = 10058
_MAX_BYTES = 64 * 1024 * 1024
# Tries of one who always comes second: each time somebody else got on.
_TRIES = 16
_AT_ONCE = 100
_DEADLINE_S = 1.5
"""Of a call, however much has to be asked for it. Closing what doesn't answer takes another second at most: an edge,
which hears by it of its lease, gives its hub up after three."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What stands under a key. ``revision`` 0: nothing yet. ``ends_us``: by the servers' clock; 0 if it was let go."""

    name: str
    holder: str = ""
    epoch: int = 0
    ends_us: int = 0
    revision: int = 0

    def body(self) -> bytes:
        found = {"name": self.name, "holder": self.holder, "epoch": self.epoch, "ends_us": self.ends_us}
        return json.dumps(found).encode()

    def state(self, now_us: int) -> LeaseState:
        return LeaseState(self.name, self.holder, self.epoch, max(0.0, (self.ends_us - now_us) / 1e6))


@implementer(ILeaseStore)
class JetStreamLeaseStore:
    """See `ILeaseStore`. The clock of the bucket's leader judges: servers of a cluster need NTP."""

    def __init__(
        self, settings: JetStreamConfig, *, deadline_s: float = _DEADLINE_S, clock: Clock = LEASE_CLOCK
    ) -> None:
        self._settings = settings
        self._deadline_s = deadline_s
        self._clock = clock
        self._connection = Connection(settings, "mtd leases")
        bucket = f"{settings.stream_prefix}-leases"
        self._stream = f"KV_{bucket}"
        self._subject = f"$KV.{bucket}."

    async def start(self) -> None:
        """See `ILeaseStore`. The bucket is made if it isn't there; later, too, should it be removed."""
        await self._asked(self._make)

    async def _make(self) -> None:
        try:
            await self._connection.api(f"STREAM.INFO.{self._stream}")
        except ApiError as error:
            if error.code != _NO_STREAM:
                raise
        else:
            return
        config = {
            "name": self._stream,
            "description": "leases of mtd",
            "subjects": [f"{self._subject}>"],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "max_msgs_per_subject": 1,
            "max_bytes": _MAX_BYTES,
            "num_replicas": self._settings.replicas,
            "allow_rollup_hdrs": True,
            "deny_delete": True,
            "allow_direct": False,
        }
        try:
            await self._connection.api(f"STREAM.CREATE.{self._stream}", config)
        except ApiError as error:
            if error.code != _EXISTS:  # another process was quicker
                raise

    async def stop(self) -> None:
        """See `ILeaseStore`."""
        await self._connection.close()

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        """See `ILeaseStore`."""
        async with self._in_time():
            return await self._acquire(name, holder, ttl_s)

    async def _acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        for _ in range(_TRIES):
            asked = self._clock.monotonic()
            now_us, held = await self._look(name)
            good = held.ends_us > now_us
            if good and held.holder != holder:
                return None
            # The first epoch is of the time: a bucket that was made anew, or restored, grants none that was there.
            epoch = held.epoch if good else max(held.epoch + 1, now_us // 1_000_000)
            wanted = replace(held, holder=holder, epoch=epoch, ends_us=now_us + round(ttl_s * 1e6))
            if await self._put(wanted):
                return Lease(name, holder, epoch, asked + ttl_s)
        raise StorageUnavailable(f"the lease {name!r} changes too often to be taken")

    async def renew(self, lease: Lease, ttl_s: float) -> Lease:
        """See `ILeaseStore`."""
        async with self._in_time():
            return await self._renew(lease, ttl_s)

    async def _renew(self, lease: Lease, ttl_s: float) -> Lease:
        for _ in range(_TRIES):
            asked = self._clock.monotonic()
            now_us, held = await self._look(lease.name)
            if not held.ends_us or (held.holder, held.epoch) != (lease.holder, lease.epoch):
                raise LeaseLost(f"the lease {lease.name!r} isn't held by {lease.holder} any more")
            if await self._put(replace(held, ends_us=now_us + round(ttl_s * 1e6))):
                return Lease(lease.name, lease.holder, lease.epoch, asked + ttl_s)
        raise StorageUnavailable(f"the lease {lease.name!r} changes too often to be renewed")

    async def release(self, lease: Lease) -> None:
        """See `ILeaseStore`."""
        async with self._in_time():
            await self._release(lease)

    async def _release(self, lease: Lease) -> None:
        for _ in range(_TRIES):
            _, held = await self._look(lease.name)
            if (held.holder, held.epoch) != (lease.holder, lease.epoch):
                return
            if await self._put(replace(held, ends_us=0)):
                return
        raise StorageUnavailable(f"the lease {lease.name!r} changes too often to be let go")

    async def read(self, name: str) -> LeaseState | None:
        """See `ILeaseStore`."""
        async with self._in_time():
            now_us, held = await self._look(name)
        return held.state(now_us) if held.revision else None

    async def list(self, prefix: str) -> Sequence[LeaseState]:
        """See `ILeaseStore`."""
        async with self._in_time():
            now_us, keys = await self._asked(self._keys)
            # The encoding of a name's beginning is the beginning of its encoding.
            wanted = [key for key in keys if key.startswith(_key(prefix))]
            found: list[_Held | None] = []
            for at in range(0, len(wanted), _AT_ONCE):
                some = wanted[at : at + _AT_ONCE]
                found += await asyncio.gather(*(self._asked(partial(self._get, key)) for key in some))
        states = [held.state(now_us) for held in found if held is not None]
        return sorted(states, key=lambda state: state.name)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Raise StorageUnavailable where a call takes longer than callers can wait: its lease would be over meanwhile."""
        opening = self._connection.opening
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError:
            error = StorageUnavailable(f"the lease store has not answered within {self._deadline_s:g} s")
            await self._connection.drop(error, opening)
            raise error from None

    # -- the bucket --------------------------------------------------------------

    async def _look(self, name: str) -> tuple[int, _Held]:
        """Return the servers' time, and what stands under a key. The time is that of before."""
        now_us, _ = await self._asked(partial(self._info, ""))
        return now_us, await self._asked(partial(self._get, _key(name))) or _Held(name)

    async def _keys(self) -> tuple[int, Sequence[str]]:
        now_us, subjects = await self._info(f"{self._subject}>")
        return now_us, tuple(subject.removeprefix(self._subject) for subject in subjects)

    async def _info(self, subjects: str) -> tuple[int, Sequence[str]]:
        body = {"subjects_filter": subjects} if subjects else {}
        answer = await self._connection.api(f"STREAM.INFO.{self._stream}", body)
        return self._now_us(answer), tuple(answer["state"].get("subjects") or ())

    def _now_us(self, answer: dict[str, Any]) -> int:
        """Return the time of the server that answered."""
        return _microseconds(answer["ts"])

    async def _get(self, key: str) -> _Held | None:
        try:
            answer = await self._connection.api(
                f"STREAM.MSG.GET.{self._stream}", {"last_by_subj": self._subject + key}
            )
        except ApiError as error:
            if error.code == _NO_MESSAGE:
                return None
            raise
        found = json.loads(base64.b64decode(answer["message"]["data"]))
        return _Held(
            found["name"], found["holder"], found["epoch"], found["ends_us"], answer["message"]["seq"]
        )

    async def _put(self, held: _Held) -> bool:
        """Change a key if it is as it was read; False if it isn't."""
        headers = {
            "Nats-Expected-Stream": self._stream,
            "Nats-Expected-Last-Subject-Sequence": str(held.revision),
        }
        try:
            subject = self._subject + _key(held.name)
            await self._asked(partial(self._connection.request, subject, held.body(), headers))
        except WrongSequence:
            return False
        return True

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Connect if need be, ask, and wait for the answer. Raises StorageUnavailable without one."""
        opening = self._connection.opening
        try:
            await self._connection.open()
            try:
                return await ask()
            except ApiError as error:
                if error.code != _NO_STREAM:
                    raise
            await self._make()  # somebody removed the bucket: no lease of before is good any more
            return await ask()
        except WrongSequence:
            raise
        except LogUnavailable as error:
            if not isinstance(error, ApiError):
                await self._connection.drop(error, opening)
            raise StorageUnavailable(f"the lease store can't be asked: {error}") from error


def _key(name: str) -> str:
    """Return a name as a key: letters, digits, ``/ - _``, and ``=`` with two hexadecimal digits for all else."""
    return quote(name, safe="/-_").replace(".", "%2E").replace("~", "%7E").replace("%", "=")


def _microseconds(text: str) -> int:
    """Return a time of a server, which tells nanoseconds, as microseconds since the epoch."""
    matched = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(?:\.(\d+))?Z", text)
    if matched is None:
        raise StorageUnavailable(f"a NATS server tells a time that can't be read: {text}")
    whole = dt.datetime.fromisoformat(matched[1]).replace(tzinfo=dt.UTC)
    return round(whole.timestamp()) * 1_000_000 + int((matched[2] or "0").ljust(6, "0")[:6])
