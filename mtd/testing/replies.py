"""Replies as a session would hand them over, built from rows of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtd.model.command import Command, Reply, Rows, Trap

Word = str | bytes | int | bool | float


def wire(value: Word) -> bytes:
    """Return a value as RouterOS writes it. Python clients turn numbers and booleans; this turns them back."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


def rows_of(rows: Iterable[Mapping[str, Word]]) -> Rows:
    """Return rows, given as dictionaries, column by column."""
    given = list(rows)
    names = dict.fromkeys(name for row in given for name in row)
    return Rows(
        len(given),
        {name: tuple(wire(row[name]) if name in row else None for row in given) for name in names},
    )


def reply(
    command: Command,
    rows: Iterable[Mapping[str, Word]] = (),
    *,
    at: float = 0.0,
    wall_us: int | None = None,
    duration_s: float = 0.002,
    trap: str | None = None,
    ret: Word | None = None,
) -> Reply:
    """Return the reply to a command, as far as its ``proplist`` asks for the rows' fields.

    ``at`` is monotonic seconds; the wall clock follows it unless it is given.
    """
    wanted = [
        {name: value for name, value in row.items() if not command.proplist or name in command.proplist}
        for row in rows
    ]
    return Reply(
        command=command,
        rows=rows_of(wanted),
        received_at=at,
        received_us=round(at * 1e6) if wall_us is None else wall_us,
        duration_s=duration_s,
        trap=Trap(trap) if trap is not None else None,
        done={} if ret is None else {"ret": wire(ret)},
    )


Menus = Mapping[str, Sequence[Mapping[str, Word]]]


def replies_from(
    commands: Iterable[Command],
    menus: Menus,
    *,
    at: float = 0.0,
    wall_us: int | None = None,
    duration_s: float = 0.002,
) -> list[Reply]:
    """Answer commands like a router with these menus, by command path; others are "no such command"."""
    answers = []
    for command in commands:
        rows = menus.get(command.path)
        if rows is None:
            answer = reply(
                command, at=at, wall_us=wall_us, duration_s=duration_s, trap="no such command prefix"
            )
        else:
            wanted = [row for row in rows if matches(row, command.queries)]
            if ("count-only", "") in command.arguments:
                answer = reply(command, at=at, wall_us=wall_us, duration_s=duration_s, ret=len(wanted))
            else:
                answer = reply(command, wanted, at=at, wall_us=wall_us, duration_s=duration_s)
        answers.append(answer)
    return answers


def matches(row: Mapping[str, Word], queries: Sequence[str]) -> bool:
    """Whether query words are true of a row: ``name``, ``-name``, ``name=x`` and operations on those before."""
    stack: list[bool] = []
    for query in queries:
        if query.startswith("#"):
            for operation in query[1:]:
                last = stack.pop()
                if operation == "!":
                    stack.append(not last)
                elif operation in "&|":
                    other = stack.pop()
                    stack.append(other and last if operation == "&" else other or last)
                else:
                    raise ValueError(f"query {query!r}: only !, & and | are known here")
            continue
        name, equals, value = query.removeprefix("-").partition("=")
        if equals:
            stack.append(name in row and wire(row[name]) == value.encode())
        else:
            stack.append((name in row) is not query.startswith("-"))
    return all(stack)


def load_capture(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a capture, whichever of the known shapes it has."""
    import json

    content = json.loads(path.read_text())
    if isinstance(content, list):
        return content
    for key in ("data", "reply", "records"):
        if isinstance(content.get(key), list):
            rows: list[dict[str, Any]] = content[key]
            return rows
    raise ValueError(f"{path} has none of data, reply, records")
