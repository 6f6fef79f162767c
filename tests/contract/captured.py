"""Captures of real routers: found, and played back through codec and eggs.

They aren't part of the project. Clients had turned numbers and booleans: they
are written as on the wire again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtd.codec.routeros import Answer, Decoder, Stamp, encode_sentence
from mtd.model.command import Command, Reply
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin import Collector
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, every_capability, make_device
from mtd.testing.replies import load_capture, matches, wire

CHUNKS = (1, 7, 4096)
Captures = Mapping[str, Sequence[Mapping[str, Any]]]
_COUNT_ONLY = ("count-only", "")
# "/interface/ethernet/monitor sfp1 once", as people write down what they typed.
_MENU = re.compile(r"(?:/[a-z0-9-]+)+")


@dataclass(frozen=True)
class Captured:
    """One file: what a router answered to a command."""

    file: Path
    name: str  # relative to the folder of all captures
    command: str  # "/ip/service/print"

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that the router sent."""
        return load_capture(self.file)


def folder() -> Path | None:
    """Return where the captures of the API are, if MTD_ROSDATA says so."""
    found = Path(os.environ.get("MTD_ROSDATA", "")) / "api"
    return found if found.is_absolute() and found.is_dir() else None


def captured_files() -> Iterator[Captured]:
    """Yield all files that say what they are an answer to."""
    root = folder()
    if root is None:
        return
    for file in sorted(root.rglob("*.json")):
        command = _command_of(file)
        if command:
            yield Captured(file, str(file.relative_to(root)), command)


def _command_of(file: Path) -> str:
    import json

    if file.name.startswith("_"):
        return file.stem.replace("_", "/")
    content = json.loads(file.read_text(encoding="utf-8"))
    menu = _MENU.match(str(content.get("menu", ""))) if isinstance(content, dict) else None
    if menu is None:
        return ""
    return menu[0] if menu[0].endswith("/monitor") else f"{menu[0]}/print"


def sentences(command: Command, rows: Sequence[Mapping[str, Any]] | None) -> bytes:
    """Return what a router sends: rows as far as asked for, a count, or that there is no such menu."""
    if rows is None:
        return encode_sentence([b"!trap", b".tag=1", b"=message=no such command prefix"]) + encode_sentence(
            [b"!done", b".tag=1"]
        )
    wanted = [row for row in rows if matches(row, command.queries)]
    if _COUNT_ONLY in command.arguments:
        return encode_sentence([b"!done", b".tag=1", b"=ret=%d" % len(wanted)])
    sent = b""
    for row in wanted:
        words = [b"=%b=%b" % (k.encode(), wire(v)) for k, v in row.items() if k in command.proplist]
        sent += encode_sentence([b"!re", b".tag=1", *words])
    return sent + encode_sentence([b"!done", b".tag=1"])


def answer(command: Command, rows: Sequence[Mapping[str, Any]] | None, at: float, chunk: int) -> Reply:
    """Return the reply as the codec makes it of the bytes, received in chunks."""
    decoder = Decoder()
    decoder.expect(b"1", command)
    sent = sentences(command, rows)
    events: list[Any] = []
    for start in range(0, len(sent), chunk):
        events += decoder.feed(sent[start : start + chunk], Stamp(at, round(at * 1e6)))
    [event] = events
    assert isinstance(event, Answer)
    return Reply(command, event.rows, at, round(at * 1e6), 0.002, trap=event.trap, done=event.done)


def poll(mapper: DeviceMapper, tier: Tier, at: float, captures: Captures, chunk: int = 4096) -> Observation:
    """Answer the commands of a tier from captures; other menus aren't there."""
    replies = [answer(command, captures.get(command.path), at, chunk) for command in mapper.commands(tier)]
    return mapper.observe(tier, replies)


def mapper_of(*collectors: Collector) -> DeviceMapper:
    """Return the mapper of a device of which nothing is known."""
    return DeviceMapper(make_device(), collectors, clock=FakeClock())


def able_mapper_of(*collectors: Collector) -> DeviceMapper:
    """Return the mapper of a device that has all capabilities."""
    return DeviceMapper(make_device(), collectors, every_capability(*collectors), clock=FakeClock())
