"""How long an edge that is refused keeps what it polls without a lease."""

from __future__ import annotations

from pathlib import Path

from mtd.core.clock import LEASE_CLOCK
from mtd.core.errors import Retryable, Unauthenticated
from tests.unit.link.devices_made import assignment, exclusive
from tests.unit.link.scripted_hub import looped
from tests.unit.link.test_seat import QUICK, TWO, seated

GRACE_S = 60.0


class Moved:
    """A clock that tests move ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now_us(self) -> int:
        return LEASE_CLOCK.now_us()

    def monotonic(self) -> float:
        return LEASE_CLOCK.monotonic() + self.ahead_s


@looped
async def test_refusals_with_something_else_between_dont_add_up(tmp_path: Path) -> None:
    clock, refusal = Moved(), Unauthenticated("the certificate isn't one that mtd knows")
    config = QUICK.model_copy(update={"refused_grace_s": GRACE_S})
    async with seated(tmp_path, config=config, clock=clock) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, exclusive(2)))
        await rig.until(exclusive(2))
        line.fail(refusal)
        (await rig.hub.line()).fail(Retryable("the hub restarts"))
        line = await rig.hub.line()
        clock.ahead_s += GRACE_S + 1
        line.fail(refusal)
        line = await rig.hub.line()
        assert rig.seat.may_poll(TWO), "it was refused for a moment, twice"
        clock.ahead_s += GRACE_S + 1
        line.fail(refusal)
        await rig.until()
        assert not rig.seat.may_poll(TWO)
