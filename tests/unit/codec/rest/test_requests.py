"""Commands as requests, and errors as traps."""

from __future__ import annotations

import json

import pytest

from mtd.codec.rest import request_of, trap_of
from mtd.model.command import Command, Trap


def body(command: Command) -> object:
    request = request_of(command)
    assert request is not None
    return json.loads(request.body)


def test_a_command_becomes_a_post_with_its_words() -> None:
    command = Command(
        "/interface/ethernet/monitor",
        (".id", "rate"),
        ("type=ether", "#!"),
        (("numbers", "*1,*2"), ("once", "")),
    )
    request = request_of(command)
    assert request is not None
    assert request.target == b"/rest/interface/ethernet/monitor"
    assert body(command) == {
        ".proplist": [".id", "rate"],
        ".query": ["type=ether", "#!"],
        "numbers": "*1,*2",
        "once": "",
    }
    assert body(Command("/interface/print", arguments=(("count-only", ""),))) == {"count-only": ""}


@pytest.mark.parametrize(
    "command",
    [
        Command("/interface/listen"),
        Command("/interface/print", arguments=(("follow", ""),)),
        Command("/interface/print", arguments=(("interval", "1s"),)),
        Command("/no/such path"),
        Command("/../webfig"),
        Command("/log\r\nHost: x"),
        Command(""),
    ],
)
def test_what_rest_has_no_words_for_is_not_asked(command: Command) -> None:
    assert request_of(command) is None


def test_what_ends_by_itself_is_asked() -> None:
    command = Command("/interface/monitor-traffic", arguments=(("interval", "1s"), ("duration", "3s")))
    assert body(command) == {"interval": "1s", "duration": "3s"}


def error(**said: object) -> bytes:
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    ("status", "said", "trap"),
    [
        (400, error(error=400, message="Bad Request", detail="no such command"), Trap("no such command")),
        (
            406,
            error(error=406, message="Not Acceptable", detail="no such command or directory (x)"),
            Trap("no such command or directory (x)"),
        ),
        (404, error(error=404, message="Not Found"), Trap("no such command (404 Not Found)")),
        (404, b"<html>nothing</html>", Trap("no such command (404 Reason)")),
        (403, b"", Trap("not enough permissions (403 Reason)")),
        (
            500,
            error(error=500, message="Internal Server Error", detail="not enough permissions (9)"),
            Trap("not enough permissions (9)"),
        ),
        (500, error(error=500, message="Internal Server Error"), Trap("500 Internal Server Error")),
        (503, b"[]", Trap("503 Reason")),
        (400, b'{"detail": "caf\xe9"}', Trap("café")),
        (400, b'{"detail": 5}', Trap("5")),
    ],
)
def test_an_error_is_worded_as_the_api_words_it(status: int, said: bytes, trap: Trap) -> None:
    assert trap_of(status, "Reason", said, "latin-1") == trap


def test_missing_menus_and_missing_rights_are_known() -> None:
    assert trap_of(404, "Not Found", b"", "latin-1").no_such_command
    assert trap_of(403, "Forbidden", b"", "latin-1").not_permitted


def test_an_error_that_is_nested_without_end_says_no_more_than_its_status() -> None:
    body = b'{"detail":' + b"[" * 800 + b"]" * 800 + b"}"
    assert trap_of(400, "Bad Request", body, "latin-1").message == "400 Bad Request"
