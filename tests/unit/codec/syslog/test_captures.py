"""What real routers wrote, where the captures are at hand: each line has its topics, and its message is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtd.codec.syslog import Form, read_line

CAPTURES = Path(os.environ.get("MTD_ROSDATA", "")) / "syslog"
pytestmark = pytest.mark.skipif(
    not os.environ.get("MTD_ROSDATA") or not CAPTURES.is_dir(),
    reason="MTD_ROSDATA names no folder with captures",
)


def lines(path: Path) -> list[bytes]:
    return [one for one in path.read_bytes().splitlines() if one.strip() and not one.startswith(b"#")]


def test_every_line_of_a_file_with_topics_has_them() -> None:
    seen = 0
    for path in sorted(CAPTURES.rglob("*")):
        if not path.is_file() or path.suffix == ".md" or path.name == "topics_75.txt":
            continue
        for data in lines(path):
            line = read_line(data)
            assert line.text, data
            assert line.text in line.original or line.form is Form.CEF, data
            words = data.split()
            if any(
                b"," in word and word.replace(b",", b"").isalpha() and not word.endswith(b",")
                for word in words[:6]
            ):
                assert line.topics, data
            seen += 1
    assert seen > 50


def test_all_topics_that_were_seen_are_known() -> None:
    for data in lines(CAPTURES / "index-captures" / "topics_75.txt"):
        line = read_line(data + b" some words")
        assert ",".join(line.topics).encode() == data
