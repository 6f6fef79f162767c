"""Blocks that don't read back as their frames are never stored, and somebody is told."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest

from mtd.codec.blocks import Axis, Block
from mtd.compaction import dense, encoding, unit
from mtd.compaction.rounds import Rounds
from mtd.storage.config import StorageConfig
from mtd.storage.partitioned import DAY_US
from tests.integration.compaction.kit import (
    HOUR,
    LAYOUT,
    NOW,
    OTHER,
    Account,
    Clock,
    S,
    ask,
    cold,
    compact,
    declare,
    expected,
    polls,
    put,
    settings,
    stored,
)


def off_by_one(block: Block) -> Block:
    return dataclasses.replace(block, base=block.base + 1)


def one_too_many(block: Block) -> Block:
    return dataclasses.replace(block, points=block.points + 1)


@pytest.mark.parametrize("spoil", [off_by_one, one_too_many])
@pytest.mark.parametrize("encode", ["encode_counters", "encode_gauges"])
def test_a_wrong_block(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, spoil: Any, encode: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(50)
    put(postgres_dsn, frames)
    right = getattr(encoding, encode)
    monkeypatch.setattr(encoding, encode, lambda *args, **named: spoil(right(*args, **named)))
    account = compact(postgres_dsn)
    assert [failed.what for failed in account.failed] == ["verification"]
    assert "differ" in account.failed[0].reason
    assert (account.rounds[0].failed, account.rounds[0].waiting) == (1, 1)
    for table in ("telemetry_axis", "telemetry_block", "rollup_10s", "rollup_1m", "rollup_5m"):
        assert ask(postgres_dsn, f"SELECT count(*) FROM {table}") == [(0,)]
    assert stored(postgres_dsn) == expected(frames)
    monkeypatch.undo()
    assert not compact(postgres_dsn).failed
    assert cold(postgres_dsn) == expected(frames)


def test_a_wrong_axis(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(50)
    put(postgres_dsn, frames)
    right = unit.encode_axis

    def wrong(ms: Any) -> Axis:
        return dataclasses.replace(right(ms), step_ms=right(ms).step_ms + 1)

    monkeypatch.setattr(unit, "encode_axis", wrong)
    account = compact(postgres_dsn)
    assert [failed.what for failed in account.failed] == ["verification"]
    assert stored(postgres_dsn) == expected(frames)


def test_others_go_on_and_it_is_tried_again_later(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(postgres_dsn, LAYOUT)
    frames, others = polls(50), polls(50, device=OTHER)
    put(postgres_dsn, frames + others)
    right, spoiled = encoding.encode_counters, []

    def wrong(*args: Any, **named: Any) -> Block:
        spoiled.append(1)
        block = right(*args, **named)
        return off_by_one(block) if len(spoiled) == 1 else block

    monkeypatch.setattr(encoding, "encode_counters", wrong)
    account, clock = Account(), Clock()
    config = settings(cpu_share=1)
    with Rounds(postgres_dsn, config, account.messages.append, threading.Event(), clock=clock) as rounds:
        rounds.run()
        assert len(account.failed) == 1
        assert [one.device_id for one in account.units] == [OTHER]
        clock.now += 300 * S
        rounds.run()
        assert len(account.failed) == 1
        assert len(account.units) == 1
        # Since when the hour is due, not since it failed.
        assert account.rounds[-1].lag_s == (clock.now - HOUR) / S - 3600 - 300
        clock.now += 300 * S
        rounds.run()
    assert len(account.units) == 2
    assert account.rounds[-1].lag_s == 0
    assert cold(postgres_dsn) == expected(frames + others)


def test_a_block_that_does_not_become_dense(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(60, NOW - NOW % DAY_US - 5 * DAY_US)
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    right = dense.encode_series

    def wrong(lane: Any, bits: Any, absent: Any, *, dense: bool) -> Block:
        return right(lane, bits + 1, absent, dense=dense)

    monkeypatch.setattr(dense, "encode_series", wrong)
    config = StorageConfig.model_validate({"blocks": {"dense_after_days": 3}})
    account = compact(postgres_dsn, config=config)
    assert [trouble.what for trouble in account.trouble] == ["dense"]
    assert cold(postgres_dsn) == expected(frames)


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("telemetry_block", "NEW.base := NEW.base + 1; RETURN NEW"),
        ("telemetry_block", "RETURN NULL"),
        ("telemetry_axis", "NEW.first_ms := NEW.first_ms + 1; RETURN NEW"),
    ],
)
def test_what_is_stored_is_read_back_before_frames_go(postgres_dsn: str, table: str, what: str) -> None:
    """Whatever happened between the worker and the table."""
    declare(postgres_dsn, LAYOUT)
    frames = polls(50)
    put(postgres_dsn, frames)
    ask(postgres_dsn, f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; END $$")
    ask(postgres_dsn, f"CREATE TRIGGER spoil BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION spoil()")
    account = compact(postgres_dsn)
    assert [failed.what for failed in account.failed] == ["verification"]
    assert "stored" in account.failed[0].reason
    assert stored(postgres_dsn) == expected(frames)
    assert ask(postgres_dsn, "SELECT count(*) FROM telemetry_block") == [(0,)]
    ask(postgres_dsn, "DROP FUNCTION spoil CASCADE")
    assert not compact(postgres_dsn).failed
    assert cold(postgres_dsn) == expected(frames)
