"""The lab's control door: faults and statistics by JSON lines on loopback.

A request is one line, {"op": ..., ...}; so is its answer, {"ok": true, ...} or
{"ok": false, "error": ...}. Operations: ``inject`` (router, kind, settings of
the fault), ``clear`` (router, kind?), ``stats`` (router?), ``flows`` (router, dimension?),
``timeline``, ``now``.
"""

from __future__ import annotations

import asyncio
import json
import socket
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mtd.core.errors import MtdError, Refused, Retryable

if TYPE_CHECKING:
    from mtd.lab.service import Lab

_LINE_BYTES = 64 * 1024


class ControlServer:
    """Serves the control door of one Lab."""

    def __init__(self, lab: Lab, host: str, port: int) -> None:
        self._lab = lab
        self._host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Open the door."""
        self._server = await asyncio.start_server(self._serve, self._host, self.port, limit=_LINE_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the door and whoever stands in it."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._clients):
            writer.close()
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            # The client went away, or sent a line past the limit: nothing to answer.
            pass
        finally:
            self._clients.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise Refused("a request is a JSON object")
            return {"ok": True} | self._run(request.pop("op", None), request)
        except (MtdError, ValueError, TypeError, KeyError) as error:
            # ValueError: not JSON, or a fault that pydantic refuses.
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def _run(self, operation: str | None, request: dict[str, Any]) -> dict[str, Any]:
        lab = self._lab
        match operation:
            case "inject":
                applied = lab.inject(request.pop("router"), request.pop("kind"), **request)
                return {"start_tick": applied.start_tick, "end_tick": applied.end_tick}
            case "clear":
                return {"cleared": lab.clear(request["router"], request.get("kind"))}
            case "stats":
                return {"now_tick": lab.world.clock.now_tick(), "routers": lab.stats(request.get("router"))}
            case "flows":
                return {"flows": lab.flows(request["router"], request.get("dimension"))}
            case "timeline":
                return {"timeline": lab.timeline()}
            case "now":
                return {"now_tick": lab.world.clock.now_tick(), "epoch_us": lab.world.clock.epoch_us}
            case _:
                raise Refused(
                    f"unknown operation {operation!r}: inject, clear, stats, flows, timeline or now"
                )


class LabControl:
    """Blocking client of the control door, for tests and scripts. Use it as a context manager."""

    def __init__(self, host: str, port: int, timeout_s: float = 5.0) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise Retryable(f"no lab answers at {host}:{port}: {error}") from error
        self._file = self._socket.makefile("rwb")

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        """Run an operation and return its answer; Refused if the lab says no."""
        self._file.write(json.dumps({"op": operation} | fields).encode() + b"\n")
        self._file.flush()
        answer: dict[str, Any] = json.loads(self._file.readline() or b'{"ok": false, "error": "lab is gone"}')
        if not answer.pop("ok"):
            raise Refused(answer["error"])
        return answer

    def inject(self, router: str, kind: str, **settings: Any) -> dict[str, Any]:
        """Let a fault begin now; return its ``start_tick`` and ``end_tick``."""
        return self.call("inject", router=router, kind=kind, **settings)

    def clear(self, router: str, kind: str | None = None) -> int:
        """End a router's faults, or those of a kind; return how many there were."""
        cleared: int = self.call("clear", router=router, kind=kind)["cleared"]
        return cleared

    def stats(self, router: str | None = None) -> dict[str, dict[str, Any]]:
        """Return router name -> what it did."""
        routers: dict[str, dict[str, Any]] = self.call("stats", router=router)["routers"]
        return routers

    def flows(self, router: str, dimension: str | None = None) -> dict[str, Any]:
        """Return what a router truly sent of flows; with a dimension, ``keys`` are its sums by key."""
        flows: dict[str, Any] = self.call("flows", router=router, dimension=dimension)["flows"]
        return flows

    def timeline(self) -> list[dict[str, Any]]:
        """Return the faults that were injected live, for ``World.replay``."""
        timeline: list[dict[str, Any]] = self.call("timeline")["timeline"]
        return timeline

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> LabControl:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
