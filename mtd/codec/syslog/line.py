"""One log line: who says it was sent when, by whom, about what.

Which of the many ways of writing a line it is shows in the line itself, as routers of one network are set
differently, and forwarders in between add and remove. What isn't told is None or empty.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from mtd.codec.syslog.cef import read_cef
from mtd.codec.syslog.topics import Severity, severity_of, split_topics
from mtd.model.text import decode_seldom, decode_text

MAX_BYTES = 8192
"""Longer lines are cut; RFC 5424 asks for 2,048 at least."""

_PRIORITY = re.compile(rb"<(\d{1,3})>")
_HIGHEST_PRIORITY = 191
# Of BSD, of ISO, and of RouterOS' own log.
_TIME = re.compile(
    rb"((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]?\d(?: \d{4})? \d\d:\d\d:\d\d"
    rb"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    rb"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)/\d\d(?:/\d{4})? \d\d:\d\d:\d\d) "
)
_HOST = re.compile(rb"([^\s:\[\]<>,=]{1,255}+) ")
_TAG = re.compile(rb"([A-Za-z0-9_./-]{1,48}+)(?:\[(\d{1,10})\])?: ?")
_RFC5424 = re.compile(
    rb"1 (-|[0-9T:.Z+-]{1,40}) (-|[!-~]{1,255}) (-|[!-~]{1,48}) (-|[!-~]{1,128}) (-|[!-~]{1,32}) "
)
_DATA = re.compile(rb"\[[!-~]{1,32}(?: [^\s=\]\"]{1,32}=\"(?:[^\"\\]|\\.)*\")*\]", re.DOTALL)
_TIME_BYTES = len(b"Jun 07 09:16:59 ")
_PRIORITY_BYTES = len(b"<191>")
_SEVERITIES = tuple(Severity)
_BOM = b"\xef\xbb\xbf"


class Form(enum.StrEnum):
    """How a line is written."""

    PLAIN = "plain"
    """Nothing around it: RouterOS' default, topics and message."""
    BSD = "bsd"
    """RFC 3164: priority, time and host, each of which may be missing."""
    RFC5424 = "rfc5424"
    CEF = "cef"


@dataclass(slots=True)
class Line:
    """``text``: the message itself. ``original``: all that came, as text. ``cut``: whether it was longer than that.

    ``severity`` is that of the topics, which RouterOS folds into fewer when it makes a priority; else the
    priority's. ``told_time`` is what the line says, in whatever time zone. ``fields``: of CEF.
    """

    form: Form
    text: str
    original: str
    topics: tuple[str, ...] = ()
    severity: Severity | None = None
    facility: int | None = None
    told_time: str = ""
    host: str = ""
    program: str = ""
    process: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class _Header(NamedTuple):
    facility: int
    severity: Severity
    told_time: str


def read_line(data: bytes, code_page: str = "latin-1", names: Collection[bytes] = ()) -> Line:
    """Return what a line says. Never raises: what is like nothing known is a message, whole.

    ``names``: what routers that may have sent it are called. RouterOS writes its name with all its blanks, and nobody
    else could tell where it ends.
    """
    cut = len(data) > MAX_BYTES
    data = data[:MAX_BYTES].strip(b"\r\n\0 ")
    is_simple = data.isascii() and b"\0" not in data
    line = Line(Form.PLAIN, "", data.decode() if is_simple else decode_seldom(data, code_page), cut=cut)
    read = _behind_priority if data.startswith(b"<") else _bsd
    rest = read(line, data, code_page, names)
    if rest.startswith(b"CEF:") and (cef := read_cef(rest)) is not None:
        return _of_cef(line, *cef, code_page)
    line.topics, rest = split_topics(rest, alone=line.form is Form.PLAIN)
    if line.topics and (by_topics := severity_of(line.topics)) is not None:
        line.severity = by_topics
    line.text = rest.decode() if is_simple else decode_seldom(rest, code_page)
    return line


def _behind_priority(line: Line, data: bytes, code_page: str, names: Collection[bytes]) -> bytes:
    first = data[: data.find(b">", 0, _PRIORITY_BYTES) + 1 + _TIME_BYTES]
    header = _header(first)
    if header is not None:
        line.form, (line.facility, line.severity, line.told_time) = Form.BSD, header
        return _behind_time(line, data[len(first) :], code_page, names)
    rest = _priority(line, data)
    if line.facility is not None and (found := _RFC5424.match(rest)) is not None:
        return _rfc5424(line, rest, found, code_page)
    return _bsd(line, rest, code_page, names)


# The lines of a second, of all routers with the same priority, have one. Bounded: they come from the wire.
@lru_cache(maxsize=1024)
def _header(data: bytes) -> _Header | None:
    """Return what a priority and a time of the usual length say; None if that isn't what it is."""
    priority = _PRIORITY.match(data)
    if priority is None or int(priority[1]) > _HIGHEST_PRIORITY:
        return None
    time = _TIME.fullmatch(data, priority.end())
    if time is None:
        return None
    facility, severity = divmod(int(priority[1]), 8)
    return _Header(facility, _SEVERITIES[severity], time[1].decode("ascii"))


def _worse(by_topics: Severity | None, by_priority: Severity | None) -> Severity | None:
    return by_priority if by_topics is None else by_topics


def _priority(line: Line, data: bytes) -> bytes:
    found = _PRIORITY.match(data)
    if found is None or int(found[1]) > _HIGHEST_PRIORITY:
        return data
    line.form = Form.BSD
    line.facility, severity = divmod(int(found[1]), 8)
    line.severity = _SEVERITIES[severity]
    return data[found.end() :]


def _rfc5424(line: Line, rest: bytes, found: re.Match[bytes], code_page: str) -> bytes:
    line.form = Form.RFC5424
    told = [b"" if one == b"-" else one for one in found.groups()]
    line.told_time, line.host = told[0].decode("ascii"), decode_text(told[1], code_page)
    line.program, line.process = decode_text(told[2], code_page), decode_text(told[3], code_page)
    rest = rest[found.end() :]
    if rest.startswith(b"-"):
        rest = rest[1:]
    else:
        while (data := _DATA.match(rest)) is not None:
            rest = rest[data.end() :]
    # rsyslog leaves the blank that was behind the program's name before the message.
    message = rest.removeprefix(b" ").removeprefix(_BOM).lstrip(b" ")
    if not split_topics(told[2] + b" ", alone=False)[0]:
        return message
    # Forwarders that made this of a router's line took the topics for the name of a program.
    line.program = ""
    return told[2] + b" " + message


def _bsd(line: Line, rest: bytes, code_page: str, names: Collection[bytes]) -> bytes:
    found = _TIME.match(rest)
    if found is None:
        return rest
    line.form = Form.BSD
    line.told_time = found[1].decode("ascii")
    return _behind_time(line, rest[found.end() :], code_page, names)


def _behind_time(line: Line, rest: bytes, code_page: str, names: Collection[bytes]) -> bytes:
    if rest.startswith(b"CEF:"):
        return rest
    for name in names:
        end = len(name)
        if name and rest.startswith(name) and rest[end : end + 1] == b" ":
            line.host = decode_text(name, code_page)
            return _tag(line, rest[end + 1 :], code_page)
    # Lines out of a router's own log have a time and no host.
    if split_topics(rest, alone=False)[0]:
        return rest
    host = _HOST.match(rest)
    if host is None:
        return rest
    line.host = decode_text(host[1], code_page)
    return _tag(line, rest[host.end() :], code_page)


def _tag(line: Line, rest: bytes, code_page: str) -> bytes:
    """Take the program's name that forwarders and other systems put before a message; RouterOS has none.

    ``ether1: link down`` looks like one as well. It is taken for one only with a process, or if topics follow.
    """
    found = _TAG.match(rest)
    if found is None:
        return rest
    behind = rest[found.end() :]
    if found[2] is None and not split_topics(behind, alone=False)[0]:
        return rest
    line.program, line.process = decode_text(found[1], code_page), (found[2] or b"").decode("ascii")
    return behind


def _of_cef(line: Line, header: list[bytes], values: dict[bytes, bytes], code_page: str) -> Line:
    line.form = Form.CEF
    name = header[4]
    topics, rest = split_topics(name + b" ", alone=True)
    line.topics = topics if not rest.strip() else ()
    line.severity = _worse(severity_of(line.topics), line.severity)
    line.fields = {
        decode_text(key, code_page): decode_seldom(value, code_page) for key, value in values.items()
    }
    line.text = line.fields.get("msg", "" if line.topics else decode_seldom(name, code_page)).rstrip("\r\n")
    line.host = line.host or line.fields.get("dvchost", "")
    return line
