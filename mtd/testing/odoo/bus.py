"""Odoo's bus as a browser hears it: a WebSocket that subscribes to channels."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from mtd.testing.odoo.rpc import OdooSession

LIVE = "mikrotik_monitoring.live"


def channel_of(device_id: int) -> str:
    """Return the channel that the page of a device asks for."""
    return f"mikrotik_monitoring.device.{device_id}"


def subscription(channels: Sequence[str], last: int = 0) -> str:
    """Return the message that asks for channels."""
    return json.dumps({"event_name": "subscribe", "data": {"channels": list(channels), "last": last}})


def socket_url(url: str) -> str:
    """Return where the WebSocket of an Odoo is."""
    return url.replace("http", "ws", 1) + "/websocket"


class BusClient:
    """One tab's connection, as the user of a session or as an anonymous visitor."""

    def __init__(self, session: OdooSession) -> None:
        self._session = session
        self._ending = contextlib.ExitStack()
        self._socket: ClientConnection | None = None
        self.messages: list[dict[str, Any]] = []
        """All that came, oldest first: type and payload."""

    def __enter__(self) -> Self:
        opening = connect(
            socket_url(self._session.url),
            origin=Origin(self._session.url),
            additional_headers=self._session.cookie_header(),
            max_size=None,
            proxy=None,
        )
        self._socket = self._ending.enter_context(opening)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def subscribe(self, *channels: str, last: int = 0) -> None:
        """Ask for these channels instead of those before."""
        self.send(subscription(channels, last))

    def send(self, text: str) -> None:
        """Send a message as it is."""
        assert self._socket is not None
        self._socket.send(text)

    def listen(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield messages as they come, for at most so long."""
        assert self._socket is not None
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                text = self._socket.recv(timeout=left)
            except TimeoutError:
                return
            for one in json.loads(text):
                self.messages.append(one["message"])
                yield one["message"]

    def wait_for(self, kind: str, seconds: float = 30.0) -> dict[str, Any]:
        """Return the payload of the next message of a type."""
        for message in self.listen(seconds):
            if message["type"] == kind:
                payload: dict[str, Any] = message["payload"]
                return payload
        raise AssertionError(f"no {kind} within {seconds} s; there came {self.messages[-5:]}")
