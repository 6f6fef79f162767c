"""Looking for secrets in everything that the daemon keeps, writes and says, in all forms that a secret takes."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mtd.api.grpc.server import DESCRIPTORS
from mtd.eventlog.sqlite.reader import DiskReader
from mtd.storage.embedded.account import find_installation
from tests.e2e.kit import Rig, folder

KEY_FILES = frozenset({"master.key"})
"""What may hold keys, being where they are kept; their names in the data folder."""

# What these do isn't reading: some make secrets, and answer with them once.
CHANGING = (
    *("Create", "Update", "Delete", "Set", "Rotate", "Revoke", "Disable", "Enable"),
    *("Adopt", "Ignore", "Scan", "Enroll", "Renew", "Ingest", "Append", "Heartbeat"),
)
_CALL_S = 6.0
_STREAM_S = 1.0


def forms_of(secret: str) -> dict[str, bytes]:
    """Return how a secret may be written down. Base64 has three, by where in a longer text the secret stands."""
    raw = secret.encode()
    forms = {
        "plain": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": urllib.parse.quote(secret, safe="").encode(),
        "form": urllib.parse.quote_plus(secret).encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "utf-16": secret.encode("utf-16-le"),
    }
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        # Without the characters that depend on what stands before and behind.
        middle = encoded[4 if offset else 0 : -4]
        forms[f"base64-{offset}"] = middle
        forms[f"base64url-{offset}"] = middle.translate(bytes.maketrans(b"+/", b"-_"))
    return forms


class Finder:
    """Knows the secrets, and finds them."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        assert all(len(secret) >= 16 for secret in secrets.values()), "shorter ones are found by chance"
        self.secrets = secrets
        self._needles = [
            (name, form, needle)
            for name, secret in secrets.items()
            for form, needle in forms_of(secret).items()
        ]
        self.looked_at: dict[str, int] = {}

    def find(self, where: str, content: bytes | str) -> list[str]:
        """Return what is found, in words; and note how much was looked at."""
        raw = content.encode() if isinstance(content, str) else content
        self.looked_at[where] = self.looked_at.get(where, 0) + len(raw)
        return [f"{name} ({form}) in {where}" for name, form, needle in self._needles if needle in raw]


quiet_folder = folder
"""A folder beside that of the daemon: for secrets that are kept elsewhere."""


def dump_of(stage: Rig) -> bytes:
    """Return the whole database as pg_dump writes it."""
    program = find_installation() / "bin" / "pg_dump"
    return subprocess.run([program, stage.dsn()], capture_output=True, check=True, timeout=60).stdout


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all files of the data folder but those of keys."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or name in KEY_FILES:
            continue
        try:
            yield name, path.read_bytes()
        except FileNotFoundError:
            continue  # PostgreSQL has removed it


def logged_events(stage: Rig) -> Iterator[bytes]:
    """Yield all events of the log, which is compressed on the disk."""
    reader = DiskReader(stage.data_dir / "events.db", 5.0, 8 * 2**20)
    after = 0
    try:
        while batches := reader.read(after, 1000):
            for batch in batches:
                for event in batch.events:
                    yield event.SerializeToString()
                    yield _told(event)
            after = batches[-1].last_seq
    finally:
        reader.close()


def read_methods() -> Iterator[tuple[str, Any]]:
    """Yield all methods that read, by their paths: whatever isn't known to change something is called."""
    for service in DESCRIPTORS:
        for method in service.methods:
            if not method.name.startswith(CHANGING):
                yield f"/{service.full_name}/{method.name}", method


def answers_of(stage: Rig, names: Mapping[str, Any], only: str = "") -> Iterator[tuple[str, bytes]]:
    """Call all methods that read, or only one; yield their paths and what they answer, refusals included."""
    with grpc.insecure_channel(stage.server) as channel:
        for path, method in read_methods():
            if only and method.name != only:
                continue
            request = _filled(method.input_type, names)
            yield from ((path, answer) for answer in _answers(channel, path, method, request))


def _answers(channel: grpc.Channel, path: str, method: Any, request: Message) -> Iterator[bytes]:
    answer_type = GetMessageClass(method.output_type)
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = kind(path, type(request).SerializeToString, answer_type.FromString)
    try:
        if method.server_streaming:
            for answer in call(request, timeout=_STREAM_S):
                yield answer.SerializeToString() + _told(answer)
        else:
            answer = call(request, timeout=_CALL_S)
            yield answer.SerializeToString() + _told(answer)
    except grpc.RpcError as error:
        metadata = [*error.initial_metadata(), *error.trailing_metadata()]
        yield f"{error.code()} {error.details()} {metadata}".encode()


def _told(message: Message) -> bytes:
    return json.dumps(MessageToDict(message), ensure_ascii=False).encode()


def _filled(descriptor: Any, names: Mapping[str, Any]) -> Message:
    request: Message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        wanted = names.get(field.name)
        if wanted is None or field.message_type is not None:
            continue
        if field.is_repeated:
            getattr(request, field.name).append(wanted)
        else:
            setattr(request, field.name, wanted)
    return request


def pages_of(stage: Rig, paths: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Read pages of the HTTP door; yield what they hold, refusals included."""
    for path in paths:
        try:
            yield path, stage.http(path)
        except urllib.error.HTTPError as error:
            yield path, f"{error.code} {error.headers} {error.read().decode(errors='replace')}"
