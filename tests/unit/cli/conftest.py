"""A daemon's gRPC door in a thread, with backends in memory, and a runner of commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mtd.api.grpc.server import build_server
from mtd.cli import main
from mtd.cli.output import console
from tests.unit.api.fakes import FakeInventory, FakeTelemetry, context
from tests.unit.api.finding_fakes import FakeDiscovery, FakeTools


class DoorInThread:
    """An open door on a loop of its own; ``call`` runs something there."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.telemetry, self.inventory = FakeTelemetry(), FakeInventory()
        self.discovery, self.tools = FakeDiscovery(), FakeTools()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._start())

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def call(self, work: Callable[[], Any]) -> Any:
        async def there() -> Any:
            return work()

        return self._run(there())

    def later(self, seconds: float, work: Callable[[], Any]) -> None:
        self.loop.call_soon_threadsafe(self.loop.call_later, seconds, work)

    def close(self) -> None:
        self._run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _start(self) -> None:
        self.api = context(self.telemetry, self.inventory, self.discovery, self.tools)
        self.hub = self.api.hub
        self.server = build_server(self.api)
        await self.server.start()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)


@pytest.fixture
def door() -> Iterator[DoorInThread]:
    opened = DoorInThread()
    yield opened
    opened.close()


class Commands:
    """Runs commands as a user would; none may end in a traceback."""

    def __call__(self, *arguments: str, code: int = 0, **environment: str) -> Result:
        result = CliRunner().invoke(main, list(arguments), env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result


@pytest.fixture
def mtd(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Run commands; what they print is as wide as it needs to be."""
    monkeypatch.setattr(console, "_width", 300)
    monkeypatch.setattr(console, "_height", 60)
    return Commands()
