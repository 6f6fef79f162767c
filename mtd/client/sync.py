"""The synchronous client."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mtd.client import requests
from mtd.client.channel import Options, open_channel, stub_on
from mtd.client.credentials import credentials_for
from mtd.client.errors import MtdClientError, closed_error, error_of, forked_error
from mtd.client.health import HealthHistory
from mtd.client.live import LayoutBook, LiveFrame, Sample
from mtd.client.overview import EventDays, LatestPage, Ranking, StatusCounts
from mtd.client.polled import PollNow
from mtd.client.ranges import RangeResult
from mtd.client.requests import TELEMETRY, Call, Settings
from mtd.client.resume import Resume
from mtd.client.runs import Run, RunCall
from mtd.client.slices import GIVE_UP_AFTER_S, MOST_POINTS, Slice, SlicePlan
from mtd.client.snapshots import SnapshotInfo, SnapshotVersion
from mtd.client.state import TableInfo, TablePage
from mtd.client.targets import Targets, another_may_answer, nothing_was_done
from mtd.client.values import Catalogue, ConnectionTest, Device, Event, event_of

if TYPE_CHECKING:
    from typing import Self, Unpack

    import grpc

T = TypeVar("T")


class MtdClient:
    """Calls the daemon from synchronous code. Threads may share it.

    ``target`` is the daemon's gRPC address, or those of several hubs that share a database, with commas between
    them: another one is called when one can't be reached, or stops. Connects with the first call.
    ``timeout_s`` bounds each call that isn't a stream. Who calls, and TLS, are
    told by ``Options``. All calls raise MtdClientError; so does creating it if
    its options don't fit together or name files that can't be read.
    """

    def __init__(
        self, target: str = "127.0.0.1:50051", *, timeout_s: float = 10.0, **options: Unpack[Options]
    ) -> None:
        self._targets = Targets(target)
        self._timeout_s = timeout_s
        self._credentials = credentials_for(target, **options)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._channel: grpc.Channel | None = None
        self._stubs: dict[str, Any] = {}
        self._pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def target(self) -> str:
        """The address that is called at the moment."""
        return self._targets.current

    def close(self) -> None:
        """Close the connection; streams that threads are reading end."""
        self._closed.set()
        with self._lock:
            if self._channel is not None and self._pid == os.getpid():
                self._channel.close()
            self._channel = None

    # -- inventory ---------------------------------------------------------------

    def create_device(
        self, *, password: str = "", request_id: str = "", **settings: Unpack[Settings]
    ) -> Device:
        """Add a device: at least ``name``, ``host``, ``username`` and ``password``.

        With a ``request_id``, a UUID, the same call may be made again after a
        failure: the device is added once.
        """
        return self._call(requests.create_device(password, settings, request_id))

    def get_device(self, device: str) -> Device:
        """Return a device by its name or id."""
        return self._call(requests.get_device(device))

    def list_devices(self, *, site: str = "", group: str = "") -> list[Device]:
        """Return all devices, by name; those of a site and of a group, where one is given."""
        devices, token = self._call(requests.list_page("", site, group))
        for _ in range(requests.MOST_PAGES):
            if not token:
                return devices
            more, token = self._call(requests.list_page(token, site, group))
            devices += more
        raise requests.endless()

    def update_device(
        self, device: str, *, password: str | None = None, revision: int = 0, **settings: Unpack[Settings]
    ) -> Device:
        """Change the settings that are given, and the password unless it is None. It may be empty.

        With the ``revision`` that was read, fails with ABORTED if somebody
        changed the device since.
        """
        return self._call(requests.update_device(device, password, revision, settings))

    def delete_device(self, device: str) -> None:
        """Stop watching a device and remove it."""
        self._call(requests.delete_device(device))

    def test_connection(
        self, device: str = "", *, password: str = "", **settings: Unpack[Settings]
    ) -> ConnectionTest:
        """Try to reach a known device, or one that is described by settings."""
        return self._call(requests.test_connection(device, password, settings))

    def refresh_capabilities(self, device: str) -> Device:
        """Probe now what a device can do."""
        return self._call(requests.refresh_capabilities(device))

    def poll_now(self, device: str, *, tiers: Sequence[str] = ()) -> PollNow:
        """Poll a device now: tiers ``t0`` to ``t3``, all if empty. Answers when what was read is stored.

        Fails with RESOURCE_EXHAUSTED if it was asked for some seconds ago, and
        with UNAVAILABLE if the device has no session.
        """
        return self._call(requests.poll_now(device, tiers))

    # -- telemetry ---------------------------------------------------------------

    def health(
        self, device: str, *, seconds: int = 86_400, end: dt.datetime | int | None = None
    ) -> HealthHistory:
        """Return how a device was over the last seconds, or those before ``end``; at most 90 days."""
        return self._call(requests.query_health(device, seconds, end))

    def list_metrics(self) -> Catalogue:
        """Return the metric catalogue."""
        return self._call(requests.list_metrics())

    def query_range(
        self,
        device: str,
        metrics: Sequence[str] = (),
        *,
        start: dt.datetime | int,
        end: dt.datetime | int,
        max_points: int = 0,
        resolution: str = "auto",
    ) -> RangeResult:
        """Return stored values from ``start`` on and before ``end``.

        Metrics are patterns; all if empty. More than ``max_points`` (600 if 0)
        per series are thinned to buckets. ``resolution``: ``raw``, ``10s``,
        ``1m`` or ``5m``; ``auto`` lets the daemon choose, which over more than a
        day never reads raw values.
        """
        return self._call(requests.query_range(device, metrics, start, end, max_points, resolution))

    def query_slices(
        self,
        device: str,
        metrics: Sequence[str] = (),
        *,
        start: dt.datetime | int,
        end: dt.datetime | int,
        resolution: str = "raw",
        give_up_after_s: float | None = GIVE_UP_AFTER_S,
    ) -> Iterator[Slice]:
        """Yield all stored values from ``start`` on and before ``end``, slice by slice, in order.

        Nothing is thinned: with ``raw`` come all points, with ``10s``, ``1m`` or
        ``5m`` all buckets. For ranges that are too long for one answer. Where the
        daemon is away or busy it is asked again; raises after so many seconds
        without an answer (None: never).
        """
        plan = SlicePlan(
            device, requests.microseconds(start), requests.microseconds(end), resolution, give_up_after_s
        )
        while (due := plan.due) is not None:
            call = requests.query_range(device, metrics, *due, MOST_POINTS, resolution)
            answer: RangeResult | MtdClientError
            try:
                answer = self._call(call)
            except MtdClientError as error:
                answer = error
            part = plan.take(answer)
            if part is not None:
                yield part
            elif plan.pause_s:
                self._closed.wait(plan.pause_s)

    def query_latest(
        self,
        devices: Sequence[str] = (),
        metrics: Sequence[str] = (),
        *,
        page_size: int = 0,
        page_token: str = "",
    ) -> LatestPage:
        """Return the newest values of the selected series, at most ``page_size`` (1000 if 0)."""
        return self._call(requests.query_latest(devices, metrics, page_size, page_token))

    def top(self, by: str, *, limit: int = 10, window_s: int = 0, devices: Sequence[str] = ()) -> Ranking:
        """Rank interfaces by ``rx``, ``tx``, ``utilization`` or ``errors``: now, or over a window until now."""
        return self._call(requests.top(by, limit, window_s, devices))

    def status_counts(self) -> StatusCounts:
        """Return how many devices have each status."""
        return self._call(requests.status_counts())

    def events_per_day(self, days: int = 30, *, devices: Sequence[str] = ()) -> EventDays:
        """Return how many events the last days had, today included."""
        return self._call(requests.events_per_day(days, devices))

    def tables(self, device: str) -> list[TableInfo]:
        """Return the current-state tables of a device that have rows: sessions, leases, neighbours."""
        return self._call(requests.tables(device))

    def table_rows(
        self,
        device: str,
        table: str,
        *,
        contains: str = "",
        fields: Mapping[str, str] | None = None,
        page_size: int = 0,
        page_token: str = "",
    ) -> TablePage:
        """Return rows of a table, at most ``page_size`` (500 if 0): with a text somewhere, with values in fields."""
        return self._call(requests.table_rows(device, table, contains, fields or {}, page_size, page_token))

    def snapshots(self, device: str) -> list[SnapshotInfo]:
        """Return the documents of a device: configuration and inventory, kept when they change."""
        return self._call(requests.snapshots(device))

    def snapshot_versions(
        self, device: str, kind: str, *, limit: int = 2, before: dt.datetime | None = None
    ) -> list[SnapshotVersion]:
        """Return at most ``limit`` versions of a document from before a time, the newest first."""
        return self._call(requests.snapshot_versions(device, kind, limit, before))

    def watch(
        self,
        *,
        devices: Sequence[str] = (),
        metrics: Sequence[str] = (),
        give_up_after_s: float | None = None,
        on_gone: Callable[[str], None] | None = None,
    ) -> Iterator[Sample]:
        """Yield the newest values, then new ones as they come; see ``watch_frames``."""
        for frame in self.watch_frames(
            devices=devices, metrics=metrics, give_up_after_s=give_up_after_s, on_gone=on_gone
        ):
            yield from frame.samples()

    def watch_frames(
        self,
        *,
        devices: Sequence[str] = (),
        metrics: Sequence[str] = (),
        give_up_after_s: float | None = None,
        on_gone: Callable[[str], None] | None = None,
    ) -> Iterator[LiveFrame]:
        """Yield the newest frames, then new ones as they come, until the client is closed.

        A broken stream is opened again, and goes on with what changed since;
        after a restart of the daemon the newest values are sent once more.
        Raises after so many seconds without an answer (None: never).
        ``on_gone`` is told the id of a device that was removed, or isn't
        selected any more.
        """
        book = LayoutBook(on_gone)
        request = requests.latest_request(devices, metrics)

        def again(_: Any) -> Any:
            book.clear()
            return request

        for response in self._stream("StreamLatest", again, Resume(give_up_after_s)):
            yield from book.take(response)
            request.resume_token = response.resume_token or request.resume_token

    def events(
        self,
        *,
        after_position: int = 0,
        only_new: bool = False,
        devices: Sequence[str] = (),
        min_severity: str = "info",
        until_now: bool = False,
        give_up_after_s: float | None = None,
    ) -> Iterator[Event]:
        """Yield events behind a position, without gaps or doubles, until the client is closed.

        ``only_new`` begins now; ``until_now`` ends with what is stored. A
        broken stream goes on behind the last event that was yielded.
        """
        request = requests.events_request(devices, min_severity, until_now=until_now)
        request.after_position, request.only_new = after_position, only_new

        def again(before: Any) -> Any:
            if before is not None:
                requests.resume_events(request, before.initial_metadata())
            return request

        for response in self._stream("StreamEvents", again, Resume(give_up_after_s)):
            request.after_position, request.only_new = response.event.position, False
            yield event_of(response.event)

    # -- what functions of mtd.client.discovery and mtd.client.tools return -----

    def ask(self, call: Call[T]) -> T:
        """Make a call that is answered once, such as ``discovery.proposals()``."""
        return self._call(call)

    def run(self, call: RunCall[T]) -> Run[T]:
        """Begin a run, such as ``tools.ping(...)``: iterate over what it brings."""
        return Run(self._begin(call.service, call.method, call.request), call, self.target)

    # -- underneath --------------------------------------------------------------

    def _call(self, call: Call[T]) -> T:
        import grpc

        timeout_s = max(self._timeout_s, call.min_timeout_s)
        for left in reversed(range(len(self._targets))):
            target = self.target
            try:
                answer = self._begin(call.service, call.method, call.request, timeout=timeout_s)
            except grpc.RpcError as failed:
                error = error_of(failed, target)
                self._turn_away(target, error)
                if not left or not nothing_was_done(error):
                    raise error from None
            except ValueError:  # the channel was closed meanwhile
                raise closed_error() from None
            else:
                return call.read(answer)
        raise closed_error()

    def _turn_away(self, target: str, error: MtdClientError) -> None:
        """Call another hub from now on, if there is one and it may do better. Calls under way go on."""
        with self._lock:
            if len(self._targets) > 1 and another_may_answer(error) and self.target == target:
                self._targets.turn(target)
                self._channel, self._stubs = None, {}

    def _stream(self, method: str, again: Callable[[Any], Any], resume: Resume) -> Iterator[Any]:
        """Yield the messages of a stream, opened again whenever it breaks.

        ``again`` is given the broken call, None at first, and returns the next request.
        """
        import grpc

        before = None
        while not self._closed.is_set():
            target = self.target
            try:
                call = self._begin(TELEMETRY, method, again(before))
            except (ValueError, MtdClientError):
                if self._closed.is_set():  # by another thread, meanwhile
                    return
                raise
            try:
                # Empty if the call failed. A stream may be quiet for hours: it was answered all the same.
                if call.initial_metadata():
                    resume.succeeded()
                for response in call:
                    resume.succeeded()
                    yield response
                return
            except grpc.RpcError as failed:
                error = error_of(failed, target)
            finally:
                call.cancel()
            self._turn_away(target, error)
            delay_s = resume.delay_after(error, others=len(self._targets) - 1)
            if self._closed.is_set() or self._closed.wait(delay_s):
                return
            before = call

    def _begin(self, service: str, method: str, request: Any, **bounds: float) -> Any:
        """Make a call as who we are."""
        metadata = self._credentials.metadata()
        return getattr(self._stub(service), method)(request, metadata=metadata, **bounds)

    def _stub(self, service: str) -> Any:
        """Return a stub; connect upon the first call, in the process that makes it."""
        if self._closed.is_set():
            raise closed_error()
        with self._lock:
            if self._channel is None:
                import grpc

                self._channel = open_channel(grpc, self.target, self._credentials)
                self._stubs = {}
                self._pid = os.getpid()
            elif self._pid != os.getpid():
                raise forked_error()
            if service not in self._stubs:
                self._stubs[service] = stub_on(self._channel, service)
            return self._stubs[service]
