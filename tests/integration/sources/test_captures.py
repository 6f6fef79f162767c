"""Captures of real routers, through the wire and back: encoded by librouteros, read by the decoder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from librouteros.protocol import encode_length

from mtd.codec.routeros import Answer, Decoder, Stamp
from mtd.model.command import Command
from mtd.model.text import decode_text

NOW = Stamp(1.0, 1)


@pytest.fixture
def rosdata() -> Path:
    folder = Path(os.environ.get("MTD_ROSDATA", ""))
    if not folder.is_absolute() or not folder.is_dir():
        pytest.skip("MTD_ROSDATA names no folder with captures of real routers")
    return folder


def wire(*words: bytes) -> bytes:
    return b"".join(encode_length(len(word)) + word for word in words) + b"\0"


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_errors_and_empty_replies(rosdata: Path) -> None:
    sentences = load(rosdata / "api/issues/errors_and_empty.json")["reply"]
    tags = {word[5:].encode() for words in sentences for word in words if word.startswith(".tag=")}
    decoder = Decoder()
    traps = []
    for words in sentences:
        tag = next(word[5:] for word in words if word.startswith(".tag=")).encode()
        if tag not in (b"5",) or words[0] == "!empty":
            decoder.expect(tag, Command("/x/print"))
        events = decoder.feed(wire(*(word.encode() for word in words)), NOW)
        if words[0] == "!trap":
            events = decoder.feed(wire(b"!done", b".tag=" + tag), NOW)
        for event in events:
            assert isinstance(event, Answer)
            assert event.rows.count == 0
            if event.trap is not None:
                traps.append((event.trap.message, event.trap.no_such_command))
    assert tags == {b"5", b"42", b"10"}
    assert traps == [
        ("no such command prefix", True),
        ("no such command", True),
        ("unknown parameter ether5", False),
    ]
    assert decoder.counts.unknown_sentences == decoder.counts.unknown_words == 0


def test_bytes_that_are_not_utf8(rosdata: Path) -> None:
    seen = 0
    for sample in load(rosdata / "api/issues/encoding_bytes.json")["reply"]:
        value = b"x" * sample.get("seen_at", 0) + bytes.fromhex(sample["bytes_hex"])
        decoder = Decoder()
        decoder.expect(b"1", Command("/ip/dhcp-server/lease/print"))
        (event,) = decoder.feed(
            wire(b"!re", b".tag=1", b"=comment=" + value) + wire(b"!done", b".tag=1"), NOW
        )
        assert isinstance(event, Answer)
        assert event.rows.column("comment") == (value,)
        assert decode_text(value)  # Latin-1, never an error
        if "codepage" in sample:
            assert decode_text(value, sample["codepage"]) == sample["text"]
            assert decode_text(value) == sample["shown_as_latin1"]
            seen += 1
    assert seen


def rows_of(reply: Any) -> list[dict[str, str]]:
    """Return the rows of a capture whose values are all texts, as the API sends them."""
    rows = reply if isinstance(reply, list) else [reply]
    return [
        {str(key): value for key, value in row.items() if isinstance(value, str)}
        for row in rows
        if isinstance(row, dict)
    ]


def test_captured_rows_come_back_as_they_were_sent(rosdata: Path) -> None:
    files = sorted((rosdata / "api").rglob("*.json"))
    assert files
    total = 0
    for path in files:
        data = load(path)
        reply = data.get("reply", []) if isinstance(data, dict) else data
        rows = [row for row in rows_of(reply) if row]
        if not rows or not all(rows):
            continue
        for tag_first in (True, False):
            decoder = Decoder()
            # Twice, so that what was learned from the first reply reads the second.
            for tag in (b"1", b"2"):
                decoder.expect(tag, Command(f"/{path.stem}"))
                sent = b""
                for row in rows * 10:
                    words = [f"={key}={value}".encode() for key, value in row.items()]
                    words.insert(0 if tag_first else len(words), b".tag=" + tag)
                    sent += wire(b"!re", *words)
                (event,) = decoder.feed(sent + wire(b"!done", b".tag=" + tag), NOW)
                assert isinstance(event, Answer)
                expected = [{key: value.encode() for key, value in row.items()} for row in rows] * 10
                assert event.rows.dicts() == expected, path
                total += len(rows)
    assert total > 100


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "v7_system_resource_716.json",
            {"architecture-name", "version", "cpu-load", "free-memory", "uptime"},
        ),
        ("v7_system_resource_capac.json", {"board-name", "cpu-load", "free-memory", "version"}),
    ],
)
def test_system_resource_has_what_the_eggs_need(rosdata: Path, name: str, expected: set[str]) -> None:
    reply = load(rosdata / "api/issues" / name)["reply"]
    row = {
        key: str(value).encode() for key, value in (reply[0] if isinstance(reply, list) else reply).items()
    }
    decoder = Decoder()
    decoder.expect(b"1", Command("/system/resource/print"))
    words = [b"=" + key.encode() + b"=" + value for key, value in row.items()]
    (event,) = decoder.feed(wire(b"!re", b".tag=1", *words) + wire(b"!done", b".tag=1"), NOW)
    assert isinstance(event, Answer)
    assert expected <= set(event.rows.columns)
    assert event.rows.dicts() == [row]
