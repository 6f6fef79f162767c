"""A line between an edge and its hub that can be cut: TCP, passed on by a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Self


class Line:
    """Listens on an address of loopback, and passes on what comes to the same ports of 127.0.0.1.

    ``cut``: nothing passes any more, and nobody is told: as when a cable is pulled. New connections are
    taken, and hang. ``mend`` ends what hung; who calls again gets through.
    """

    def __init__(self, host: str, ports: Sequence[int]) -> None:
        self._host = host
        self._ports = list(ports)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._open: asyncio.Event | None = None
        self.passed_bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        """Pull the cable."""
        self._call(self._set(passes=False))

    def mend(self) -> None:
        """Put it back. What was under way when it was pulled is lost."""
        self._call(self._set(passes=True))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        for port in self._ports:

            def passing(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port
            ) -> asyncio.Task[None]:
                return self._loop.create_task(self._serve(reader, writer, port))

            self._servers.append(await asyncio.start_server(passing, self._host, port))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._drop()
        for task in asyncio.all_tasks(self._loop) - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _set(self, *, passes: bool) -> None:
        assert self._open is not None
        if passes:
            self._drop()
            self._open.set()
        else:
            self._open.clear()

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        assert self._open is not None
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            await self._open.wait()
            there, back = await asyncio.open_connection("127.0.0.1", port)
            self._writers.add(back)
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)
            self._writers.discard(back)
            back.transport.abort()
        self._writers.discard(writer)
        writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._open is not None
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            self.passed_bytes += len(data)
            await writer.drain()
        writer.transport.abort()
