"""Many tabs of an Odoo, each on the page of a device: they watch, say so each 20 s, and note what comes."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from mtd.testing.odoo.bus import LIVE, channel_of, socket_url, subscription
from mtd.testing.odoo.rpc import OdooSession

_HEARTBEAT_S = 20.0
_START_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Heard:
    """What one tab got since ``begin``."""

    messages: int = 0
    received_bytes: int = 0
    of_others: int = 0
    """Messages of devices that it doesn't view."""
    ages_s: list[float] = field(default_factory=list)
    """From the collection of the newest values until here."""


@dataclass
class Tab:
    """One browser's tab."""

    session: OdooSession
    device_id: int
    heard: Heard = field(default_factory=Heard)
    viewer: str = field(default_factory=lambda: str(uuid.uuid4()))
    socket: ClientConnection | None = None

    def take(self, text: str | bytes) -> None:
        """Note what came."""
        now_us = time.time_ns() / 1000
        for one in json.loads(text):
            message = one["message"]
            if message["type"] != LIVE:
                continue
            payload = message["payload"]
            self.heard.messages += 1
            self.heard.received_bytes += len(text)
            self.heard.of_others += payload["device"] != self.device_id
            newest = _newest_us(payload)
            if newest is not None:
                self.heard.ages_s.append((now_us - newest) / 1e6)

    def ask(self, method: str) -> Any:
        """Call one of the methods of presence."""
        return self.session.call("mikrotik.device", method, [self.device_id], self.viewer)


def _newest_us(payload: dict[str, Any]) -> int | None:
    """Return when the newest values in a message were collected; None if it has none."""
    return max((group["t_us"] for group in payload["groups"] if group.get("t_us")), default=None)


class TabCrowd:
    """Tabs in a thread of their own; they are open all the while, and view when they are told to."""

    def __init__(self, tabs: Sequence[Tab]) -> None:
        self._tabs = tabs
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tabs", daemon=True)
        self._readers: list[asyncio.Task[None]] = []
        self._beat: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def view(self) -> None:
        """Go to the pages of the devices."""
        self._do(self._view())

    def leave(self) -> None:
        """Leave them; the tabs stay open, on a page that has nothing live."""
        self._do(self._leave())

    def begin(self) -> None:
        """Forget what came so far."""
        for tab in self._tabs:
            tab.heard = Heard()

    def heard_by(self) -> int:
        """Return how many tabs have got a message since it was begun."""
        self._check()
        return sum(1 for tab in self._tabs if tab.heard.messages)

    def take(self) -> list[Heard]:
        """Return what each has heard since it was begun, and begin anew."""
        self._check()
        heard = [tab.heard for tab in self._tabs]
        self.begin()
        return heard

    def _check(self) -> None:
        """Raise if a tab was cut off."""
        for reader in self._readers:
            if reader.done():
                reader.result()
                raise ConnectionError("Odoo closed a tab's connection")

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_TIMEOUT_S)

    async def _open(self) -> None:
        for tab in self._tabs:
            tab.socket = await connect(
                socket_url(tab.session.url),
                origin=Origin(tab.session.url),
                additional_headers=tab.session.cookie_header(),
                max_size=None,
                proxy=None,
            )
            await tab.socket.send(subscription([]))
            self._readers.append(asyncio.create_task(self._read(tab, tab.socket)))

    async def _close(self) -> None:
        await self._stop_beat()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for tab in self._tabs:
            if tab.socket is not None:
                await tab.socket.close()

    @staticmethod
    async def _read(tab: Tab, socket: ClientConnection) -> None:
        async for text in socket:
            tab.take(text)

    async def _view(self) -> None:
        await self._all("live_watch")
        for tab in self._tabs:
            assert tab.socket is not None
            await tab.socket.send(subscription([channel_of(tab.device_id)]))
        self._beat = asyncio.create_task(self._beat_on())

    async def _leave(self) -> None:
        await self._stop_beat()
        await self._all("live_unwatch")
        for tab in self._tabs:
            assert tab.socket is not None
            await tab.socket.send(subscription([]))

    async def _all(self, method: str) -> None:
        await asyncio.gather(*(asyncio.to_thread(tab.ask, method) for tab in self._tabs))

    async def _beat_on(self) -> None:
        """Say that the tabs still look: one after the other, as browsers that were opened at different times."""
        while True:
            for tab in self._tabs:
                await asyncio.sleep(_HEARTBEAT_S / len(self._tabs))
                await asyncio.to_thread(tab.ask, "live_watch")

    async def _stop_beat(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
            self._beat = None


class CrowdProcess:
    """A crowd in a process of its own, as browsers are: what it reads doesn't hold up who measures."""

    def __init__(self, tabs: Sequence[Tab]) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, list(tabs)), name="tabs", daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._receive()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ours.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()

    def view(self) -> None:
        """Go to the pages of the devices."""
        self._ask("view")

    def leave(self) -> None:
        """Leave them; the tabs stay open, on a page that has nothing live."""
        self._ask("leave")

    def begin(self) -> None:
        """Forget what came so far."""
        self._ask("begin")

    def heard_by(self) -> int:
        """Return how many tabs have got a message since it was begun."""
        return int(self._ask("heard_by"))

    def take(self) -> list[Heard]:
        """Return what each has heard since it was begun, and begin anew."""
        return list(self._ask("take"))

    def _ask(self, method: str) -> Any:
        self._ours.send(method)
        return self._receive()

    def _receive(self) -> Any:
        if not self._ours.poll(_START_TIMEOUT_S):
            raise TimeoutError(f"the tabs did not answer within {_START_TIMEOUT_S} s")
        result, error = self._ours.recv()
        if error is not None:
            raise error
        return result


def _serve(door: Connection, tabs: list[Tab]) -> None:
    """Do what is asked through the door, until it is closed."""
    with TabCrowd(tabs) as crowd:
        door.send((None, None))
        while True:
            try:
                method = door.recv()
            except EOFError:
                return
            try:
                door.send((getattr(crowd, method)(), None))
            except Exception as error:  # told to who asked, who raises it
                door.send((None, error))
