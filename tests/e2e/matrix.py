"""Two tenants, and every method of the protocol asked by one of them for what is the other's."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import psycopg
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from mtd.api.grpc.server import DESCRIPTORS

METHODS = {f"{service.name}/{method.name}": method for service in DESCRIPTORS for method in service.methods}
_DEADLINE_S = 20.0
_STREAM_S = 0.5
_DEEPEST = 3
_NO_FIRST_CONTACT = ("host", "ca_file")  # nothing is to be connected to by a name that means nothing


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: by which token, for which tenant it says."""

    token: str = ""
    tenant: str = ""

    def metadata(self) -> tuple[tuple[str, str], ...]:
        pairs = []
        if self.token:
            pairs.append(("authorization", f"Bearer {self.token}"))
        if self.tenant:
            pairs.append(("mtd-tenant", self.tenant))
        return tuple(pairs)


@dataclass(slots=True)
class Answered:
    """What came of a call: all its bytes, or its refusal in words."""

    code: str
    said: bytes = b""
    messages: list[Message] = field(default_factory=list)


def call(channel: grpc.Channel, method: MethodDescriptor, request: Message, caller: Caller) -> Answered:
    """Call a method; of a stream take what comes within a moment."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    answer_kind = message_factory.GetMessageClass(method.output_type)
    coders: dict[str, Any] = {
        "request_serializer": lambda message: message.SerializeToString(),
        "response_deserializer": answer_kind.FromString,
    }
    deadline = _STREAM_S if method.server_streaming else _DEADLINE_S
    options: dict[str, Any] = {"timeout": deadline, "metadata": caller.metadata()}
    answered = Answered("OK")
    try:
        if method.client_streaming and method.server_streaming:
            _take(channel.stream_stream(path, **coders)(iter([request]), **options), answered)
        elif method.client_streaming:
            _take([channel.stream_unary(path, **coders)(iter([request]), **options)], answered)
        elif method.server_streaming:
            _take(channel.unary_stream(path, **coders)(request, **options), answered)
        else:
            _take([channel.unary_unary(path, **coders)(request, **options)], answered)
    except grpc.RpcError as error:
        failed: Any = error
        answered.code = failed.code().name
        trailing = b"".join(
            value if isinstance(value, bytes) else value.encode()
            for _, value in failed.trailing_metadata() or ()
        )
        answered.said += (failed.details() or "").encode() + trailing
        if method.server_streaming and answered.code == "DEADLINE_EXCEEDED":
            answered.code = "OK"  # it was we who had enough of it
    return answered


def _take(messages: Any, answered: Answered) -> None:
    for message in messages:
        answered.messages.append(message)
        answered.said += message.SerializeToString()


# -- requests -----------------------------------------------------------------


def filled(method: MethodDescriptor, text: str, number: int = 0) -> Message:
    """Return a request whose every text is one text, and whose every position is one number."""
    message = message_factory.GetMessageClass(method.input_type)()
    _fill(message, text, number, 0)
    return message


def _fill(message: Any, text: str, number: int, depth: int) -> None:
    kind: Any = message.DESCRIPTOR
    done: set[str] = set()
    for one in kind.fields:
        choice = one.containing_oneof
        if choice is not None and len(choice.fields) > 1:
            if choice.name in done:
                continue
            done.add(choice.name)
        if one.name in _NO_FIRST_CONTACT:
            continue
        _fill_field(message, one, text, number, depth)


def _fill_field(message: Any, one: Any, text: str, number: int, depth: int) -> None:
    if one.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        plain = not one.message_type.GetOptions().map_entry and not one.message_type.full_name.startswith(
            "google."
        )
        if plain and depth < _DEEPEST:
            target = getattr(message, one.name)
            _fill(target.add() if one.is_repeated else target, text, number, depth + 1)
            if not one.is_repeated:
                target.SetInParent()
    elif one.type == FieldDescriptor.TYPE_STRING and text:
        getattr(message, one.name).append(text) if one.is_repeated else setattr(message, one.name, text)
    elif one.cpp_type == FieldDescriptor.CPPTYPE_INT64 and not one.is_repeated:
        setattr(message, one.name, number)


# -- what is whose ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Belongings:
    """What tells that something is a tenant's: texts that are found nowhere else."""

    names: frozenset[str]
    ids: frozenset[str]

    def found_in(self, said: bytes, but: Sequence[str] = ()) -> set[str]:
        """Return those that are in an answer, but for those that the question held itself."""
        asked = " ".join(but)
        return {one for one in self.names | self.ids if one not in asked and one.encode() in said}


_WITH_TENANT = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE t.typname = 'uuid'),
       array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE t.typname = 'text')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = 'mtd'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY c.relname HAVING bool_or(a.attname = 'tenant_id')
"""


def belongings(dsn: str, tenant_id: str, word: str) -> Belongings:
    """Return the ids in a tenant's rows that no other tenant's rows hold, and its texts with a word in them."""
    ids: set[str] = set()
    others: set[str] = set()
    names: set[str] = set()
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table, uuids, texts in connection.execute(_WITH_TENANT).fetchall():
            for column in uuids or ():
                found = connection.execute(
                    f"SELECT DISTINCT {column}::text, tenant_id::text = %s FROM mtd.{table}"
                    f" WHERE {column} IS NOT NULL",
                    (tenant_id,),
                )
                for value, is_theirs in found:
                    (ids if is_theirs else others).add(value)
            for column in texts or ():
                found = connection.execute(
                    f"SELECT DISTINCT {column} FROM mtd.{table} WHERE tenant_id = %s AND {column} LIKE %s",
                    (tenant_id, f"{word}-%"),
                )
                names.update(value for (value,) in found if len(value) < 100)
    return Belongings(frozenset(names), frozenset(ids - others))


def writable_by_doors(dsn: str, tenant_id: str) -> dict[str, str]:
    """Return what a tenant has in each table that doors write to, as a digest."""
    digests = {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table, _, _ in connection.execute(_WITH_TENANT).fetchall():
            may = connection.execute(
                "SELECT has_table_privilege('mtd_door', %s, 'INSERT, UPDATE')", (f"mtd.{table}",)
            ).fetchone()
            if may == (True,):
                row = connection.execute(
                    f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM mtd.{table} t"
                    " WHERE tenant_id = %s",
                    (tenant_id,),
                ).fetchone()
                digests[table] = str(row[0]) if row else ""
    return digests


# -- HTTP ---------------------------------------------------------------------


def get(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Return status and body of a page."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers))
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code, error.read()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def texts_in(message: Message, names: Sequence[str]) -> Iterator[str]:
    """Yield the texts of fields with these names, wherever they are."""
    for one, value in message.ListFields():
        for single in value if one.is_repeated and not isinstance(value, (str, bytes)) else [value]:
            if isinstance(single, Message):
                yield from texts_in(single, names)
            elif isinstance(single, str) and one.name in names:
                yield single


def as_json(body: bytes) -> Any:
    """Return what a page says."""
    return json.loads(body)
