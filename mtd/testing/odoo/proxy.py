"""``python -m mtd.testing.odoo.proxy PORT HTTP_PORT EVENT_PORT``: what stands before a prefork Odoo.

Connections that begin with a request of ``/websocket`` go to the event port,
all others to the HTTP port, as the web server of an Odoo in production does.
A connection stays where its first request went: browsers open one of its own
for a WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

_HEAD_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, http_port: int, event_port: int
) -> None:
    try:
        head = await reader.readline()
    except (ConnectionError, ValueError):
        writer.close()
        return
    target = head.split(b" ")[1:2]
    port = event_port if target and target[0].startswith(b"/websocket") else http_port
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=_HEAD_BYTES)
    except OSError:
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        return
    far_writer.write(head)
    pumps = [
        asyncio.create_task(_pump(reader, far_writer)),
        asyncio.create_task(_pump(far_reader, writer)),
    ]
    # When one side is done, the other has nobody to talk to.
    _, others = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    for end in (writer, far_writer):
        end.close()


async def main(port: int, http_port: int, event_port: int) -> None:
    """Serve until the process ends."""
    # The streams don't hold on to the task of a connection that was lost.
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(task := asyncio.current_task())
        try:
            await _serve(reader, writer, http_port, event_port)
        finally:
            serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=_HEAD_BYTES)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
