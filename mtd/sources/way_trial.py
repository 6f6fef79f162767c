"""Testing all ways to a device: what each says, and which would serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.model.device import Outcome, Way
from mtd.sources.trial import ConnectionTest
from mtd.sources.ways import device_for

if TYPE_CHECKING:
    from mtd.model.device import Device

TestWay = Callable[["Device"], Awaitable[ConnectionTest]]


@dataclass(frozen=True, slots=True)
class WaysTest:
    """What came of testing each way that can be tried, the best first."""

    tests: Sequence[tuple[Way, ConnectionTest]]

    @property
    def serves(self) -> Way | None:
        """The best way that works."""
        return next((way for way, test in self.tests if test.ok), None)

    @property
    def told(self) -> ConnectionTest:
        """The test that says most: of the way that serves, else of the best one."""
        if not self.tests:
            return ConnectionTest(Outcome.UNREACHABLE, self.reason)
        return next((test for _, test in self.tests if test.ok), self.tests[0][1])

    @property
    def outcome(self) -> Outcome:
        """Ok if any way works, else what came of the best one."""
        return self.told.outcome if self.tests else Outcome.UNREACHABLE

    @property
    def reason(self) -> str:
        """What came of it in words: of each way up to the one that serves."""
        if not self.tests:
            return "no way can be tried: set a port of REST, or SNMP, or allow the API"
        if len(self.tests) == 1:
            return self.tests[0][1].reason
        texts = []
        for way, test in self.tests:
            name = way.upper()
            texts.append(
                f"{name} serves: {test.reason}" if test.ok else f"{name} {test.outcome}: {test.reason}"
            )
            if test.ok:
                break
        return "; ".join(texts)


async def try_ways(device: Device, testers: Mapping[Way, TestWay], told_rest: str = "") -> WaysTest:
    """Test each way that the settings allow, one after the other. ``told_rest``: where REST is, by the router."""
    tests = []
    for way in device.ways:
        aimed = device_for(device, way, told_rest)
        if aimed is not None and way in testers:
            tests.append((way, await testers[way](aimed)))
    return WaysTest(tests)
