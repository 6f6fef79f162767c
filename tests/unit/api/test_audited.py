"""What calls leave in the audit log, whatever becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mtd.api.access.interfaces import Credentials
from mtd.api.access.rules import Rule
from mtd.api.access.targets import changes_of, target_of
from mtd.api.grpc import audited
from mtd.api.grpc.audited import NotAudited, Trail
from mtd.api.grpc.server import DESCRIPTORS
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Forbidden, NotFound, Retryable, Unauthenticated
from mtd.model.audit import AuditEntry
from mtd.model.principal import CallerKind, Principal, Role
from mtd.model.tenant import NO_TENANT_ID
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
JOE = Principal(CallerKind.USER, "joe", TENANT, Role.ADMIN, "ipv4:192.0.2.1:1", "id-1")
AUDITED = Rule("inventory.v1.InventoryService/UpdateDevice", Role.ADMIN, "inventory.write", audited=True)
REQUEST = pb.UpdateDeviceRequest(device="core-1", password="hunter2")


class Book:
    """Stands for the audit log; ``held`` entries aren't durable yet."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.held: asyncio.Future[None] | None = None
        self.trouble: Retryable | None = None

    def ready(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def record(self, entry: AuditEntry) -> Awaitable[None]:
        self.entries.append(entry)
        if self.held is not None:
            return asyncio.shield(self.held)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    @property
    def outcomes(self) -> list[str]:
        return [entry.outcome for entry in self.entries]


class FakeContext:
    def __init__(self, remaining: float | None = None, code: object = None) -> None:
        self._remaining, self._code = remaining, code

    def time_remaining(self) -> float | None:
        return self._remaining

    def code(self) -> object:
        return self._code


def deed(book: Book, context: Any = None, rule: Rule = AUDITED, *, stream: bool = False) -> Any:
    return Trail(book, SYSTEM_CLOCK).deed(JOE, rule, REQUEST, context or FakeContext(), stream=stream)


def test_a_deed_is_written_down_with_what_it_changed_and_no_secret() -> None:
    async def main() -> None:
        book = Book()
        async with deed(book):
            assert book.entries == []
        (entry,) = book.entries
        assert (entry.outcome, entry.target, entry.detail) == ("OK", "device=core-1", {"changed": "password"})
        assert (entry.tenant_id, entry.caller, entry.caller_id, entry.role) == (
            TENANT,
            "joe",
            "id-1",
            "admin",
        )
        assert "hunter2" not in repr(book.entries)

    run_async(main())


@pytest.mark.parametrize(
    ("error", "context", "outcome"),
    [
        (NotFound("no"), FakeContext(), "NOT_FOUND"),
        (RuntimeError("a bug"), FakeContext(), "INTERNAL"),
        (asyncio.CancelledError(), FakeContext(), "CANCELLED"),
        (asyncio.CancelledError(), FakeContext(remaining=5.0), "CANCELLED"),
        (asyncio.CancelledError(), FakeContext(remaining=0.0), "DEADLINE_EXCEEDED"),
        (grpc.aio.AbortError(), FakeContext(code=grpc.StatusCode.DATA_LOSS), "DATA_LOSS"),
        (grpc.aio.AbortError(), FakeContext(code=5), "NOT_FOUND"),
        (KeyboardInterrupt(), FakeContext(), "CANCELLED"),
    ],
)
def test_what_came_of_it_is_written_down(error: BaseException, context: FakeContext, outcome: str) -> None:
    async def main() -> None:
        book = Book()
        # What is raised goes on; that it is written isn't waited for.
        book.held = asyncio.get_running_loop().create_future()
        with pytest.raises(type(error)):
            async with deed(book, context):
                raise error
        assert book.outcomes == [outcome]

    run_async(main())


def filled(message: Message, depth: int = 0) -> int:
    """Put something into every text of a message, and a secret where the protocol says that there is one."""
    secrets = 0
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if (
                depth < 4
                and not field.message_type.GetOptions().map_entry
                and "google" not in field.message_type.full_name
            ):
                inner = getattr(message, field.name)
                secrets += filled(inner.add() if field.is_repeated else inner, depth + 1)
        elif field.type == field.TYPE_STRING:
            is_secret = bool(field.GetOptions().debug_redact)
            secrets += is_secret
            text = "Kv9-secret" if is_secret else f"the {field.name}"
            if field.is_repeated:
                getattr(message, field.name).append(text)
            else:
                setattr(message, field.name, text)
    return secrets


def test_no_secret_of_any_request_gets_into_an_entry() -> None:
    secrets = told = 0
    for service in DESCRIPTORS:
        for method in service.methods:
            request = GetMessageClass(method.input_type)()
            secrets += filled(request)
            entry = f"{target_of(request)} {changes_of(request)}"
            assert "Kv9" not in entry, method.full_name
            told += bool(target_of(request))
    assert secrets >= 10
    assert told >= 20


def test_fields_that_hold_secrets_say_so() -> None:
    """What is named like a secret, and isn't one, is listed here."""
    names = {"token", "page_token", "next_page_token", "resume_token", "key", "request_token"}
    for service in DESCRIPTORS:
        for method in service.methods:
            for field in method.input_type.fields:
                suspicious = any(word in field.name for word in ("password", "secret", "token", "community"))
                if suspicious and field.type == field.TYPE_STRING and field.name not in names:
                    assert field.GetOptions().debug_redact, f"{method.full_name}: {field.name}"


def test_the_answer_waits_until_the_entry_is_durable() -> None:
    async def main() -> None:
        book = Book()
        book.held = asyncio.get_running_loop().create_future()

        async def call() -> None:
            async with deed(book):
                pass

        answer = asyncio.ensure_future(call())
        for _ in range(5):
            await asyncio.sleep(0)
        assert (book.outcomes, answer.done()) == (["OK"], False)
        book.held.set_result(None)
        await answer

    run_async(main())


def test_who_goes_away_meanwhile_leaves_the_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        book = Book()
        book.held = asyncio.get_running_loop().create_future()

        async def call() -> None:
            async with deed(book):
                pass

        answer = asyncio.ensure_future(call())
        for _ in range(5):
            await asyncio.sleep(0)
        answer.cancel()
        await asyncio.wait([answer])
        assert answer.cancelled()
        assert not book.held.cancelled()
        assert book.outcomes == ["OK"]

    run_async(main())


def test_a_log_that_takes_nothing_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audited, "_WAIT_S", 0.01)

    async def main() -> None:
        book = Book()
        book.held = asyncio.get_running_loop().create_future()
        with pytest.raises(NotAudited):
            async with deed(book):
                pass

    run_async(main())


def test_nothing_is_done_that_could_not_be_written_down() -> None:
    async def main() -> None:
        book = Book()
        book.trouble = Retryable("the disk is full")
        with pytest.raises(Retryable, match="disk is full"):
            async with deed(book):
                pytest.fail("it was done")
        # What isn't audited isn't concerned.
        async with deed(book, rule=Rule("x", Role.VIEWER, "telemetry.read")):
            pass
        assert book.entries == []

    run_async(main())


def test_a_stream_is_written_down_before_it_begins_and_when_it_ends() -> None:
    async def main() -> None:
        book = Book()
        book.held = asyncio.get_running_loop().create_future()
        begun = asyncio.Event()

        async def call() -> None:
            async with deed(book, stream=True):
                begun.set()

        stream = asyncio.ensure_future(call())
        for _ in range(5):
            await asyncio.sleep(0)
        assert (book.outcomes, begun.is_set()) == (["STARTED"], False)
        book.held.set_result(None)
        await stream
        assert book.outcomes == ["STARTED", "OK"]
        assert float(book.entries[1].detail["seconds"]) >= 0
        assert "seconds" not in book.entries[0].detail

    run_async(main())


def test_refusals_are_of_no_tenant_while_nobody_is_known() -> None:
    async def main() -> None:
        book = Book()
        trail = Trail(book, SYSTEM_CLOCK)
        shown = Credentials("ipv4:192.0.2.9:4", bearer="a-secret-token")
        trail.refused(AUDITED, shown, REQUEST, Unauthenticated("the token isn't one that mtd gave out"))
        trail.forbidden(JOE, AUDITED, REQUEST, Forbidden("joe lacks the role"))
        unknown, known = book.entries
        assert (unknown.tenant_id, unknown.caller, unknown.outcome) == (NO_TENANT_ID, "", "UNAUTHENTICATED")
        assert (known.tenant_id, known.caller, known.outcome) == (TENANT, "joe", "PERMISSION_DENIED")
        assert known.detail == {"reason": "joe lacks the role"}
        assert "a-secret-token" not in repr(book.entries)

    run_async(main())
