"""Between REST and the console: requests as sentences, sentences as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mtd.lab.http import HttpRequest, reason_of
from mtd.lab.menus.base import CommandError
from mtd.lab.wire import SentenceReader

_PREFIX = "/rest"
_ESCAPES = {0x22: b'\\"', 0x5C: b"\\\\", 0x08: b"\\b", 0x09: b"\\t", 0x0A: b"\\n", 0x0C: b"\\f", 0x0D: b"\\r"}
_SPECIAL = re.compile(rb'[\x00-\x1f"\\]')
_ANSWER_BYTES = 1 << 30


class BadRequest(Exception):
    """A request that no console ever sees."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def words_of(request: HttpRequest, menus: Iterable[str]) -> tuple[tuple[bytes, ...], bool]:
    """Return the sentence of a request, and whether one record is wanted instead of a list."""
    parts = urlsplit(request.target)
    path = unquote(parts.path, "latin-1")
    if path != _PREFIX and not path.startswith(_PREFIX + "/"):
        raise BadRequest(404)
    path = path.removeprefix(_PREFIX).rstrip("/")
    if request.method == "POST":
        return (path.encode("latin-1"), *_posted(request.body)), False
    if request.method != "GET":
        raise BadRequest(406, "no such command or directory (the lab is read only over REST)")
    return _got(path, parse_qsl(parts.query, keep_blank_values=True, encoding="latin-1"), set(menus))


def _posted(body: bytes) -> list[bytes]:
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        raise BadRequest(400, "invalid JSON") from None
    if not isinstance(given, dict):
        raise BadRequest(400, "expected a JSON object")
    words = []
    for key, value in given.items():
        name = key.replace("_", ".", 1) if key in ("_proplist", "_query") else key
        if name == ".query":
            words += [b"?" + _plain(word) for word in _list(value)]
        elif name == ".proplist":
            words.append(b"=.proplist=" + b",".join(map(_plain, _list(value))))
        else:
            words.append(b"=" + name.encode() + b"=" + _plain(value))
    return words


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


def _got(path: str, query: list[tuple[str, str]], menus: set[str]) -> tuple[tuple[bytes, ...], bool]:
    words = [
        f"=.proplist={value}".encode() if key == ".proplist" else f"?{key}={value}".encode()
        for key, value in query
    ]
    folder, _, name = path.rpartition("/")
    if path in menus or folder not in menus:
        return (f"{path}/print".encode(), *words), False
    key = ".id" if name.startswith("*") else "name"
    return (f"{folder}/print".encode(), *words, f"?{key}={name}".encode()), True


def parse_answer(data: bytes) -> tuple[list[dict[bytes, bytes]], dict[bytes, bytes]]:
    """Return the rows and what ``!done`` says. Raises CommandError for what the console refused."""
    rows: list[dict[bytes, bytes]] = []
    done: dict[bytes, bytes] = {}
    for kind, *words in SentenceReader(_ANSWER_BYTES).feed(data):
        row = dict(_pair(word) for word in words)
        if kind == b"!re":
            rows.append(row)
        elif kind == b"!trap":
            raise CommandError(row.get(b"message", b""))
        elif kind == b"!done":
            done = row
    return rows, done


def _pair(word: bytes) -> tuple[bytes, bytes]:
    key, _, value = word[1:].partition(b"=")
    return key, value


def as_json(rows: list[dict[bytes, bytes]], done: dict[bytes, bytes], *, one: bool) -> bytes:
    """Return an answer's body: rows as a list, or what ``!done`` says as an object."""
    if one:
        return json_row(rows[0])
    if not rows and done:
        return json_row(done)
    return b"[" + b",".join(map(json_row, rows)) + b"]"


def json_row(row: dict[bytes, bytes]) -> bytes:
    """Return an object. Its keys are sorted, its values strings: the bytes that they are, whatever they mean."""
    return b"{" + b",".join(b"%b:%b" % (_text(key), _text(row[key])) for key in sorted(row)) + b"}"


def _text(value: bytes) -> bytes:
    if _SPECIAL.search(value) is None:
        return b'"%b"' % value
    return b'"' + b"".join(_ESCAPES.get(byte) or _byte(byte) for byte in value) + b'"'


def _byte(byte: int) -> bytes:
    return b"\\u%04x" % byte if byte < 0x20 else bytes((byte,))


def error_json(status: int, detail: bytes = b"") -> bytes:
    """Return the body of an error."""
    said = b'"error":%d,"message":"%b"' % (status, reason_of(status))
    return b'{"detail":%b,%b}' % (_text(detail), said) if detail else b"{%b}" % said
