"""Each line is written once, wherever it comes from and however often the settings are read again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BODY = """
import logging, sys
from twisted.logger import Logger
from mtd.core.report import LogConfig, configure_logging

def say(word):
    logging.getLogger("ours").info("%s {braces} from us", word)
    Logger("theirs").warn("{word} from Twisted", word=word)
    Logger("theirs").info("noise")

for word in ("first", "second", "third"):
    configure_logging(LogConfig(format=FORMAT))
    say(word)
"""
TWISTD = """
import sys
from twisted.logger import globalLogBeginner, textFileLogObserver
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
"""


def printed(*parts: str, form: str = "text") -> tuple[list[str], list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", f"FORMAT = {form!r}\n" + "".join(parts)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.splitlines(), done.stderr.splitlines()


WORDS = [
    line
    for word in ("first", "second", "third")
    for line in (f"{word} {{braces}} from us", f"{word} from Twisted")
]


def test_of_our_own_process_to_standard_error() -> None:
    out, err = printed(BODY)
    assert out == []
    assert [line.partition(": ")[2] for line in err] == WORDS
    assert "INFO    ours: " in err[0]
    assert "WARNING twisted: " in err[1]


def test_what_is_critical_to_twisted_is_written_once() -> None:
    _, err = printed(BODY, 'Logger("theirs").critical("lost")\n')
    assert [line for line in err if "lost" in line] == err[-1:]


def test_as_json_each_line_is_an_object() -> None:
    _, err = printed(BODY, form="json")
    assert [json.loads(line)["message"] for line in err] == WORDS


@pytest.mark.parametrize("form", ["text", "json"])
def test_under_twistd_to_its_log_without_going_in_circles(form: str) -> None:
    out, err = printed(TWISTD, BODY, form=form)
    assert err == []
    for line in WORDS:
        assert sum(line in one for one in out) == 1, out
    assert sum("[ours#info]" in one for one in out) == 3
