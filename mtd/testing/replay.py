"""The console with a recorded live channel that runs faster than time.

Pages and files come from the daemon; what the live channel brought within a
minute is played again and again, all its times moved on, as fast as the caller
asks for. So hours of a page can be seen in minutes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.client import connect
from websockets.sync.server import Server, ServerConnection, serve

SECOND_US = 1_000_000
LIVE_PATH = "/console/live"
Message = dict[str, Any]


@dataclass(slots=True)
class Tape:
    """What a daemon sent: how a connection begins, then second by second."""

    start_us: int
    beginning: dict[str, Message]
    seconds: list[list[Message]]

    @property
    def length_us(self) -> int:
        """How long it runs until it repeats itself."""
        return len(self.seconds) * SECOND_US


def record(url: str, view: Message, seconds: int) -> Tape:
    """Listen to a daemon's live channel for so long, with something in view."""
    with connect(url, max_size=None) as socket:
        socket.send(json.dumps({"op": "view", **view}))
        messages = [json.loads(socket.recv(10))]
        start_us = int(messages[0]["now_us"])
        while messages[-1]["now_us"] < start_us + seconds * SECOND_US:
            messages.append(json.loads(socket.recv(10)))
    beginning: dict[str, Message] = {}
    spread: list[list[Message]] = [[] for _ in range(seconds)]
    for message in messages:
        kind = message["type"]
        if kind == "fleet" and "more" in beginning.get("fleet", ()):
            _join(beginning["fleet"], message)
        elif kind in ("hello", "fleet", "trend") and kind not in beginning:
            beginning[kind] = message
        elif kind != "trend":
            second = (message["now_us"] - start_us) // SECOND_US
            spread[min(second, seconds - 1)].append(message)
    layouts = [layout for message in messages for layout in message.get("layouts", ())]
    if layouts:
        beginning["layouts"] = {"layouts": {layout["layout"]: layout for layout in layouts}}
    return Tape(start_us, beginning, spread)


def _join(begun: Message, portion: Message) -> None:
    """Add a further message of a long list to the first one."""
    begun["devices"] += portion["devices"]
    if "more" not in portion:
        del begun["more"]


def moved(value: Any, by_us: int) -> Any:
    """Return a message with all its times moved; positions of events too, which must not come twice."""
    if isinstance(value, Mapping):
        return {key: _moved_field(key, inner, by_us) for key, inner in value.items()}
    # Lists are of one kind: those of numbers, most of what is sent, need no second look.
    if isinstance(value, list) and value and isinstance(value[0], (Mapping, list)):
        return [moved(inner, by_us) for inner in value]
    return value


def _moved_field(key: str, value: Any, by_us: int) -> Any:
    if key.endswith("_us") or key == "position":
        if isinstance(value, int):
            return value + by_us
        if isinstance(value, list):
            return [each if each is None else each + by_us for each in value]
    return moved(value, by_us)


@dataclass(slots=True)
class Viewer:
    """One connected page and what it has in view."""

    socket: ServerConnection
    devices: set[str] = field(default_factory=set)
    view: Message = field(default_factory=dict)
    told_layouts_of: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: Message) -> None:
        """Send; a page that has just gone is no fault."""
        with contextlib.suppress(ConnectionClosed):  # its handler takes it out of the list
            self.socket.send(json.dumps(message))


class Replay:
    """A server on loopback: the console of a daemon with a live channel from a tape."""

    def __init__(self, daemon_url: str, tape: Tape) -> None:
        self._daemon_url = daemon_url.rstrip("/")
        self._tape = tape
        self._viewers: list[Viewer] = []
        self._second = 0
        self.sent = 0
        """Messages sent, to all pages."""
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def origin(self) -> str:
        """Return where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    @property
    def viewers(self) -> int:
        """Return how many pages are connected and have said what they see."""
        return sum(bool(viewer.view) for viewer in self._viewers)

    def play(self, seconds: int = 1) -> None:
        """Send the next seconds of the tape to every page, at once."""
        for _ in range(seconds):
            by_us = self._moved_by_us()
            for message in self._tape.seconds[self._second % len(self._tape.seconds)]:
                new = moved(message, by_us)
                for viewer in list(self._viewers):
                    self._pass_on(viewer, new)
            self._second += 1

    def drop_connections(self) -> None:
        """Close every connection, as a daemon that is started anew does."""
        for viewer in list(self._viewers):
            viewer.socket.close()

    def __enter__(self) -> Self:
        self._server = serve(
            self._live, "127.0.0.1", 0, process_request=self._page, compression=None, max_size=None
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="replay", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self.drop_connections()
        self._server.shutdown()
        self._thread.join(10)

    def _moved_by_us(self) -> int:
        return self._second // len(self._tape.seconds) * self._tape.length_us

    def _now_us(self) -> int:
        return self._tape.start_us + self._second * SECOND_US

    # -- the live channel ------------------------------------------------------

    def _live(self, socket: ServerConnection) -> None:
        viewer = Viewer(socket)
        ahead_us = self._second * SECOND_US
        with viewer.lock:
            for kind in ("hello", "fleet"):
                viewer.send(moved(self._tape.beginning[kind], ahead_us))
            self._viewers.append(viewer)
        try:
            for text in socket:
                self._look(viewer, json.loads(text))
        except ConnectionClosed:
            pass  # the page went away: that's how it ends
        finally:
            self._viewers.remove(viewer)

    def _look(self, viewer: Viewer, view: Message) -> None:
        with viewer.lock:
            known, viewer.devices = viewer.devices, set(view.get("devices") or ())
            viewer.view = view
            trend = self._tape.beginning.get("trend")
            if trend and viewer.devices - known:
                found = {
                    key: value for key, value in trend["devices"].items() if key in viewer.devices - known
                }
                viewer.send(moved({**trend, "devices": found}, self._second * SECOND_US))
            if view.get("detail") is None:
                viewer.told_layouts_of = None

    def _pass_on(self, viewer: Viewer, message: Message) -> None:
        with viewer.lock:
            chosen = self._chosen(viewer, message) if viewer.view else None
            if chosen is not None:
                viewer.send(chosen)
                self.sent += 1

    def _chosen(self, viewer: Viewer, message: Message) -> Message | None:
        """Return what of a message this page asked for."""
        view = viewer.view
        match message["type"]:
            case "values":
                values = {key: value for key, value in message["devices"].items() if key in viewer.devices}
                return {**message, "devices": values} if values else None
            case "detail":
                if view.get("detail") != message["id"]:
                    return None
                return self._with_layouts(viewer, message)
            case "rank":
                return message if view.get("rank") else None
            case "events":
                return message if view.get("events") in ("all", "view") else None
            case "self":
                return message if view.get("self") else None
            case _:
                return message

    def _with_layouts(self, viewer: Viewer, message: Message) -> Message:
        """A page that has just come to a device is told the layouts first."""
        if viewer.told_layouts_of == message["id"]:
            return {**message, "layouts": []}
        viewer.told_layouts_of = message["id"]
        return {**message, "layouts": list(self._tape.beginning["layouts"]["layouts"].values())}

    # -- everything else -------------------------------------------------------

    def _page(self, _socket: ServerConnection, request: Request) -> Response | None:
        if request.path == LIVE_PATH:
            return None
        try:
            with urllib.request.urlopen(self._daemon_url + request.path, timeout=30) as answer:  # noqa: S310 - http
                status, headers, body = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refusal:
            status, headers, body = refusal.code, refusal.headers, refusal.read()
        kind = headers.get("content-type", "")
        if kind.startswith("application/json"):
            ahead_us = self._now_us() - time.time_ns() // 1000
            body = json.dumps(moved(json.loads(body), ahead_us)).encode()
        kept = [("content-type", kind), ("content-length", str(len(body))), ("connection", "close")]
        policy = headers.get("content-security-policy")
        if policy:
            kept.append(("content-security-policy", policy))
        return Response(status, "", Headers(kept), body)


def slope_per_step(values: Sequence[float]) -> float:
    """Return the slope of the line through a series, by least squares."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((index - middle) ** 2 for index in range(count))
    pairs = zip(itertools.count(), values, strict=False)
    return sum((index - middle) * (value - mean) for index, value in pairs) / spread
