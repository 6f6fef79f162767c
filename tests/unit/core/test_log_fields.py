"""What lines carry without being told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core import log_fields
from mtd.core.report import JsonFormatter
from mtd.core.service import TaskGroup
from mtd.core.tracing import Link
from mtd.core.tracing.spans import within
from tests.contract.loop import run


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log_fields, "_process", {})
    with log_fields.bound():
        yield


def line(**extra: object) -> dict[str, object]:
    """Return a line that is written now, as JSON has it."""
    record = logging.makeLogRecord({"name": "mtd.x", "levelname": "INFO", "msg": "Moss", **extra})
    found: dict[str, object] = json.loads(JsonFormatter().format(record))
    return found


def test_a_line_carries_what_was_bound_and_what_its_writer_adds() -> None:
    log_fields.describe_process(collector="pop-1")
    with log_fields.bound(device="core", tenant="t1"), log_fields.bound(seq=7):
        found = line(code="OK", device="other")
    assert (found["collector"], found["tenant"], found["seq"], found["code"]) == ("pop-1", "t1", 7, "OK")
    assert found["device"] == "other"  # who writes knows better
    assert "device" not in line()


def test_a_line_within_a_trace_has_its_id() -> None:
    with within(Link(0xABC, 1)):
        assert line()["trace_id"] == f"{0xABC:032x}"
    assert "trace_id" not in line()


def test_tasks_and_threads_carry_what_their_maker_did_and_no_others_do() -> None:
    async def look() -> object:
        return line().get("device")

    async def of_a_device(name: str) -> list[object]:
        log_fields.bind(device=name)
        child = asyncio.create_task(look())
        return [await look(), await child, await asyncio.to_thread(lambda: line()["device"])]

    async def several() -> list[object]:
        return [await asyncio.gather(of_a_device("a"), of_a_device("b")), await look()]

    assert run(several()) == [[["a"] * 3, ["b"] * 3], None]


def test_the_background_carries_whose_work_it_is_and_nothing_of_the_request_that_began_it() -> None:
    async def look() -> dict[str, object]:
        return line()

    async def call() -> dict[str, object]:
        log_fields.bind(device="core")
        with log_fields.request(request_id="r1"):
            log_fields.of_request(tenant="t1")
            found = line()
            assert (found["device"], found["request_id"], found["tenant"]) == ("core", "r1", "t1")
            task = TaskGroup("test").spawn("look", look())
        assert "tenant" not in line()
        return await task

    found = run(call())
    assert found["device"] == "core"
    assert not found.keys() & {"request_id", "tenant"}


def test_what_is_written_in_any_context_carries_nothing_of_it() -> None:
    """asyncio tells of a task that failed when that is let go of, whoever runs then."""
    with log_fields.bound(device="core"):
        assert "device" not in line(name="asyncio")
        assert "device" not in line(name="twisted.internet")
        assert line(name="mtd.sources")["device"] == "core"


@given(st.text())
def test_a_request_id_of_a_caller_can_be_written_as_it_is(given_id: str) -> None:
    found = log_fields.request_id(given_id)
    assert 0 < len(found) <= 128
    assert found.isascii()
    assert found.isprintable()
    assert " " not in found


def test_a_good_request_id_is_kept_and_others_are_made() -> None:
    assert log_fields.request_id("ticket-4711") == "ticket-4711"
    assert log_fields.request_id("two words") != "two words"
    assert log_fields.request_id() != log_fields.request_id()
