"""One stream of newest values: what it follows, and what it hasn't sent yet."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from mtd.api import metrics
from mtd.api.errors import StreamsClosed
from mtd.api.grpc.directory import KnownDevice
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.layouts import KnownLayout
from mtd.api.grpc.views import View, compile_view
from mtd.core.queues import Policy, declare
from mtd.model.metric import Metric
from mtd.pb.telemetry.v1.telemetry_service_pb2 import (
    DeviceGone,
    LatestUpdate,
    StreamLatestResponse,
    StreamLayout,
)

UPDATES = declare(
    "api.streams",
    "poll groups",
    Policy.REPLACE,
    "Devices and poll groups of which streams of values have something newer to tell. A slow reader gets the newest only.",
    limited_by="what each stream follows",
    counted_by="mtd_api_hub_updates_skipped_total",
)

# A view of 300 series takes half a millisecond; the loop may be held for ten.
VIEWS_AT_ONCE = 8
GONE_AT_ONCE = 100


class Group:
    """The newest values of one poll group of one device, and who follows them. ``change`` numbers its changes."""

    __slots__ = ("change", "device", "followers", "known", "newest")

    def __init__(self, device: KnownDevice, known: KnownLayout, newest: LatestUpdate) -> None:
        self.device = device
        self.known = known
        self.newest = newest
        self.change = 0
        self.followers: list[Follower] = []

    def announce(self) -> None:
        """Tell the streams that there is something newer."""
        for follower in self.followers:
            if follower.queued:
                follower.skipped += 1
                metrics.HUB_SKIPPED.inc()
            else:
                follower.queued = True
                follower.stream.enqueue(follower)


class Follower:
    """One stream's interest in one group."""

    __slots__ = ("group", "queued", "skipped", "stream", "view")

    def __init__(self, stream: LatestStream, group: Group) -> None:
        self.stream = stream
        self.group = group
        self.view: View | None = None
        self.queued = False
        self.skipped = 0


class LatestStream:
    """Follows the groups that its selector matches.

    The queue holds a group once, however often it changed: its bound is the
    number of groups. Policy: the newest replaces what waits, and is counted in
    ``skipped``. A device that was shown and isn't followed any more is told
    once; the bound of those is the number of devices. ``position`` gives the
    token of a stream that has sent everything; ``resumed``: it goes on where
    another ended.
    """

    def __init__(
        self,
        tenant_id: str,
        devices: Globs,
        wanted: Globs,
        catalogue: Mapping[str, Metric],
        batch_bytes: int,
        position: Callable[[], str],
        *,
        resumed: bool = False,
    ) -> None:
        self.tenant_id = tenant_id
        self.resumed = resumed
        self._position = position
        self._devices = devices
        self._wanted = wanted
        self._catalogue = catalogue
        self._batch_bytes = batch_bytes
        self._followers: dict[Group, Follower] = {}
        self._groups_of: Counter[str] = Counter()  # device id -> groups followed
        self._shown: set[str] = set()
        self._gone: deque[str] = deque()
        self._ready: deque[Follower] = deque()
        UPDATES.watch(self, lambda one: len(one._ready), lambda one: len(one._followers))
        self._wake = asyncio.Event()
        self._layouts = 0
        self._closed = False

    def offer(self, group: Group, *, shown: bool = False) -> None:
        """Follow a group if it is selected, and stop following it if it isn't any more.

        ``shown``: the reader has its newest values.
        """
        device = group.device
        selected = device.tenant_id == self.tenant_id and self._devices.matches(device.name, device.device_id)
        follower = self._followers.get(group)
        if selected and follower is None:
            follower = self._followers[group] = Follower(self, group)
            self._groups_of[device.device_id] += 1
            group.followers.append(follower)
            if shown:
                self._shown.add(device.device_id)
                return
            follower.queued = True
            self.enqueue(follower)
        elif not selected and follower is not None:
            self.forget(group)

    def forget(self, group: Group) -> None:
        """Stop following a group."""
        follower = self._followers.pop(group, None)
        if follower is not None:
            group.followers.remove(follower)
            if follower.queued:
                self._ready.remove(follower)
            self._count_out(group.device.device_id)

    def _count_out(self, device_id: str) -> None:
        self._groups_of[device_id] -= 1
        if self._groups_of[device_id]:
            return
        del self._groups_of[device_id]
        if device_id in self._shown:
            self._shown.remove(device_id)
            self._gone.append(device_id)
            self._wake.set()

    def enqueue(self, follower: Follower) -> None:
        """Note that a group has something for this stream."""
        self._ready.append(follower)
        self._wake.set()

    def close(self) -> None:
        """End the stream with StreamsClosed."""
        self._closed = True
        self._wake.set()

    def detach(self) -> None:
        """Stop following everything."""
        for group, follower in self._followers.items():
            group.followers.remove(follower)
        self._followers.clear()
        self._groups_of.clear()
        self._ready.clear()
        self._gone.clear()

    @property
    def waiting(self) -> int:
        """How many groups have something that wasn't taken yet, and how many devices are gone."""
        return len(self._ready) + len(self._gone)

    async def messages(self) -> AsyncIterator[StreamLatestResponse]:
        """Yield layouts and updates as they come, without end. Raises StreamsClosed."""
        while not self._closed:
            if not self._ready and not self._gone:
                self._wake.clear()
                await self._wake.wait()
                continue
            taken = self.take()
            if taken and not self._ready and not self._gone:
                taken[-1].resume_token = self._position()
            for message in taken:
                yield message
            if not taken:
                # Compiling views of thousands of devices that show nothing must not hold the loop.
                await asyncio.sleep(0)
        raise StreamsClosed("the daemon stops serving")

    def take(self) -> Sequence[StreamLatestResponse]:
        """Return what is to be sent next: of one group, or of several in one message; maybe nothing.

        Bounded by ``batch_bytes``, and by the views that have to be compiled.
        """
        if self._gone:
            # First: a device that comes back does so with new layouts.
            return self._take_gone()
        if len(self._ready) == 1:
            return self._take_single()
        response = StreamLatestResponse()
        batch = response.batch
        size = compiled = 0
        while self._ready and size < self._batch_bytes and compiled < VIEWS_AT_ONCE:
            follower, view, declared = self._next()
            if declared is not None:
                compiled += 1
                if not view.empty:
                    batch.layouts.append(declared)
                    size += declared.ByteSize()
            if not view.empty:
                self._fill(batch.updates.add(), view, follower)
                size += view.max_bytes
        metrics.HUB_SENT.inc(len(batch.updates))
        return (response,) if batch.updates else ()

    def _take_gone(self) -> Sequence[StreamLatestResponse]:
        count = min(len(self._gone), GONE_AT_ONCE)
        return [StreamLatestResponse(gone=DeviceGone(device_id=self._gone.popleft())) for _ in range(count)]

    def _take_single(self) -> Sequence[StreamLatestResponse]:
        follower, view, declared = self._next()
        if view.empty:
            return ()
        update = StreamLatestResponse()
        self._fill(update.update, view, follower)
        metrics.HUB_SENT.inc()
        return (update,) if declared is None else (StreamLatestResponse(layout=declared), update)

    def _next(self) -> tuple[Follower, View, StreamLayout | None]:
        """Take the group that waits longest; return its view, and the layout if that is new."""
        follower = self._ready.popleft()
        follower.queued = False
        group = follower.group
        view = follower.view
        if view is not None and view.is_current(group.known, group.device):
            return follower, view, None
        view, declared = compile_view(
            group.known, group.device, self._wanted, self._catalogue, self._layouts + 1
        )
        follower.view = view
        if not view.empty:
            self._layouts += 1
            self._shown.add(group.device.device_id)
        return follower, view, declared

    @staticmethod
    def _fill(target: LatestUpdate, view: View, follower: Follower) -> None:
        view.fill(target, follower.group.newest)
        target.skipped = follower.skipped
