"""Settings of the listener for traps."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mtd.listeners.traps.config import TrapsConfig
from mtd.listeners.traps.repeats import Marks

FILE = "/run/secrets/x"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "mtd.example"}, "is no address"),
        ({"versions": []}, "at least 1"),
        ({"versions": ["2"]}, "'1', '2c' or '3'"),
        ({"users": [{"name": "x" * 33}]}, "32 bytes at most"),
        ({"users": [{"name": "a", "auth": "sha1"}]}, "go together"),
        ({"users": [{"name": "a", "auth_password_file": FILE}]}, "go together"),
        (
            {"users": [{"name": "a", "auth": "sha1", "auth_password_file": FILE, "priv": "aes"}]},
            "go together",
        ),
        ({"users": [{"name": "a", "priv": "aes", "priv_password_file": FILE}]}, "only for a user with auth"),
        ({"users": [{"name": "a"}, {"name": "a"}]}, "the same name"),
    ],
)
def test_what_makes_no_sense_is_told(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TrapsConfig.model_validate(settings)


def test_marks_are_forgotten_in_time_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = Marks()
    assert [marks.is_repeat(b"a", now) for now in (0.0, 599.0, 600.0, 601.0)] == [False, True, False, True]
    assert not marks.is_repeat(b"", 0.0)
    assert not marks.is_repeat(b"", 0.0)
    monkeypatch.setattr("mtd.listeners.traps.repeats._MOST", 3)
    for number in range(20):
        marks.is_repeat(b"%d" % number, 700.0)
    assert len(marks) <= 4
