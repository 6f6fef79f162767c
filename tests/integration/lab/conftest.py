"""A lab in a thread of its own, for clients that block."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from mtd.lab.scenario import RouterSpec, Scenario
from mtd.lab.service import Endpoint, Lab


class LabThread:
    """Runs a Lab on a loop of its own; ``lab`` may be read from the test's thread."""

    def __init__(self, lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
        self.lab = lab
        self._loop = loop
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab", daemon=True)
        self._thread.start()
        self._endpoints = {item.name: item for item in self.run(lab.start())}

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        async def inside() -> Any:
            return function(*args, **kwargs)

        return self.run(inside())

    def endpoint(self, name: str) -> Endpoint:
        return self._endpoints[name]

    def stop(self) -> None:
        self.run(self.lab.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(params=["asyncio", "uvloop"])
def start_lab(request: pytest.FixtureRequest) -> Iterator[Callable[..., LabThread]]:
    """Return a function that starts a lab of some routers: keywords are name=settings."""
    module = pytest.importorskip(request.param)
    started: list[LabThread] = []

    def start(**routers: dict[str, Any]) -> LabThread:
        specs = [RouterSpec.model_validate({"name": name} | settings) for name, settings in routers.items()]
        started.append(LabThread(Lab(Scenario(router=specs)), module.new_event_loop()))
        return started[-1]

    yield start
    for lab in started:
        lab.stop()
