from __future__ import annotations

from urllib.parse import unquote

import grpc
import pytest

from mtd.api.errors import StreamsClosed, TooManyStreams
from mtd.api.grpc.convert import SettingsRefused
from mtd.api.grpc.status import HINT_KEY, REASON_KEY, status_of
from mtd.core.errors import (
    AlreadyExists,
    Bug,
    Conflict,
    Misconfigured,
    MtdError,
    NotFound,
    Refused,
    Retryable,
)
from mtd.storage.errors import HistoryDamaged, RowUnusable, TooSlow

CODE = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (NotFound("x"), CODE.NOT_FOUND, "NOT_FOUND"),
        (AlreadyExists("x"), CODE.ALREADY_EXISTS, "ALREADY_EXISTS"),
        (Conflict("x"), CODE.ABORTED, "CONFLICT"),
        (Refused("x"), CODE.INVALID_ARGUMENT, "REFUSED"),
        (SettingsRefused("x"), CODE.INVALID_ARGUMENT, "SETTINGS_REFUSED"),
        (Retryable("x"), CODE.UNAVAILABLE, "RETRYABLE"),
        (StreamsClosed("x"), CODE.UNAVAILABLE, "STREAMS_CLOSED"),
        (TooManyStreams("x"), CODE.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS"),
        (TooSlow("x"), CODE.DEADLINE_EXCEEDED, "TOO_SLOW"),
        (Misconfigured("x"), CODE.FAILED_PRECONDITION, "MISCONFIGURED"),
        (RowUnusable("x"), CODE.FAILED_PRECONDITION, "ROW_UNUSABLE"),
        (HistoryDamaged("x"), CODE.DATA_LOSS, "HISTORY_DAMAGED"),
        (Bug("x"), CODE.INTERNAL, "BUG"),
        (MtdError("x"), CODE.UNKNOWN, "MTD_ERROR"),
    ],
)
def test_errors_of_ours_keep_their_text(error: MtdError, code: CODE, reason: str) -> None:
    status = status_of(error)
    assert (status.code, status.reason, status.message) == (code, reason, "x")


def test_each_subclass_of_the_tree_has_a_code_of_its_own_or_of_its_parent() -> None:
    def below(kind: type[MtdError]) -> list[type[MtdError]]:
        return [kind, *(deep for child in kind.__subclasses__() for deep in below(child))]

    for kind in below(MtdError):
        error = kind.__new__(kind)
        expected = CODE.UNKNOWN if kind is MtdError else None
        assert expected is None or status_of(error).code is expected
        if kind is not MtdError:
            assert status_of(error).code is not CODE.UNKNOWN, kind


def test_foreign_errors_do_not_leak_their_text() -> None:
    status = status_of(KeyError("password=hunter2"))
    assert status.code is CODE.INTERNAL
    assert "hunter2" not in status.message + status.hint


def test_a_deadline_is_no_fault_of_the_caller() -> None:
    assert status_of(TimeoutError()).code is CODE.DEADLINE_EXCEEDED


def test_hints_survive_metadata() -> None:
    error = Refused("x")
    error.hint = 'say "Größe", 100% of it\n'
    metadata = dict(status_of(error).metadata())
    assert metadata[HINT_KEY].isascii()
    assert metadata[HINT_KEY].isprintable()
    assert unquote(metadata[HINT_KEY]) == error.hint
    assert metadata[REASON_KEY] == "REFUSED"
    assert HINT_KEY not in dict(status_of(Refused("no hint")).metadata())
