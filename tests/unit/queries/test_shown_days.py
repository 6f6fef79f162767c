"""A tenant with a quota of days is shown no more of its past."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.core.errors import Refused
from mtd.queries import ranges as module
from mtd.queries.ranges import RangeQueries
from mtd.testing import run_async
from mtd.testing.contract import FakeClock

DAY_US = 86_400_000_000
NOW_US = 1_700_000_000_000_000
TODAY_US = NOW_US - NOW_US % DAY_US


class Asked:
    """Notes the questions instead of answering them."""

    questions: list[Any] = []

    def __init__(self, *_: object) -> None:
        pass

    def answer(self, conn: object, question: Any) -> str:
        Asked.questions.append(question)
        return "answered"


class Readers:
    async def run(self, name: str, work: Any, *, tenant: str) -> Any:
        return work(None)


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> RangeQueries:
    monkeypatch.setattr(module, "RangeReader", Asked)
    Asked.questions = []

    async def shown_days(tenant_id: str) -> int | None:
        return {"week": 7, "day": 1}.get(tenant_id)

    readers: Any = Readers()
    return RangeQueries(readers, shown_days=shown_days, clock=FakeClock(wall_us=NOW_US))


@pytest.mark.parametrize(
    ("tenant", "expected_us"),
    [("all", NOW_US - 30 * DAY_US), ("week", TODAY_US - 6 * DAY_US), ("day", TODAY_US)],
)
def test_what_is_older_isnt_asked_for(queries: RangeQueries, tenant: str, expected_us: int) -> None:
    run_async(queries.query_range("d", [], NOW_US - 30 * DAY_US, NOW_US, tenant_id=tenant))
    (question,) = Asked.questions
    assert (question.start_us, question.end_us) == (expected_us, NOW_US)


def test_what_is_younger_is_as_it_was_asked_for(queries: RangeQueries) -> None:
    run_async(queries.query_range("d", [], NOW_US - DAY_US, NOW_US, tenant_id="week"))
    assert Asked.questions[0].start_us == NOW_US - DAY_US


def test_a_range_that_is_too_old_is_refused_with_the_reason(queries: RangeQueries) -> None:
    with pytest.raises(Refused, match="older than the 7 days"):
        run_async(queries.query_range("d", [], NOW_US - 9 * DAY_US, NOW_US - 8 * DAY_US, tenant_id="week"))
    assert Asked.questions == []
