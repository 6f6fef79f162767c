"""A daemon that is busy for a moment when a client calls is reached all the same."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from mtd.client import MtdClient
from mtd.client.errors import MtdClientError

LATE_S = 0.5


@contextlib.contextmanager
def answering_late(port: int) -> Iterator[str]:
    """Give the address of a way to a port, on which nothing comes back for a while."""

    def carry(source: socket.socket, target: socket.socket, wait_s: float) -> None:
        time.sleep(wait_s)  # noqa: TID251 - a thread of its own
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    opened: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection(("127.0.0.1", port))
                opened.extend((near, far))
                for arguments in ((near, far, 0.0), (far, near, LATE_S)):
                    threading.Thread(target=carry, args=arguments, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)
        for one in opened:
            one.close()


def test_a_daemon_that_is_busy_for_a_moment_is_reached() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with (
            answering_late(port) as address,
            MtdClient(address) as client,
            pytest.raises(MtdClientError) as failed,
        ):
            client.create_device(name="x", host="192.0.2.1", username="u", password="p")
        # It has no such service; but it was reached.
        assert failed.value.code == "UNIMPLEMENTED"
    finally:
        server.stop(None)
