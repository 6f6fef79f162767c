"""Documents of routers as canonical JSON, and what changed between two versions of one.

A document is one row of texts, or a list of rows. Rows are told apart by a
field that all of them have, and that differs in all of them; where there is
none, a row is what it says.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Row: TypeAlias = Mapping[str, str]
DocumentContent: TypeAlias = Row | Sequence[Row]

_KEYS = (".id", "name", "interface", "address")
_MAX_VALUE = 60
_TITLE_FIELDS = 3


def canonical_json(document: object) -> bytes:
    """Return JSON with sorted keys, without spaces, in UTF-8: equal documents are equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of a row that has another value now; None where the row hasn't the field."""

    field: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.field} {_bounded(self.old)} → {_bounded(self.new)}"


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that is there in both versions, and what of it changed."""

    title: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class DocumentChanges:
    """What became of the rows of a document. ``moved``: the same rows are in another order."""

    added: tuple[Row, ...] = ()
    removed: tuple[Row, ...] = ()
    changed: tuple[RowChange, ...] = ()
    moved: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.moved)

    def summary(self, limit: int = 300) -> str:
        """Say in a few words what changed: how many rows of each kind, then which, as far as there is room."""
        parts = []
        if self.added:
            parts.append(f"{len(self.added)} added: " + ", ".join(map(title_of, self.added)))
        if self.removed:
            parts.append(f"{len(self.removed)} removed: " + ", ".join(map(title_of, self.removed)))
        if self.changed:
            rows = (_named(row.title, ", ".join(map(str, row.fields))) for row in self.changed)
            parts.append(f"{len(self.changed)} changed: " + ", ".join(rows))
        if self.moved:
            parts.append("order changed")
        # Every count is told, however long the names before it are.
        share = max(20, limit // max(1, len(parts)) - 2)
        return "; ".join(_cut(part, share) for part in parts)


def compare(old: DocumentContent, new: DocumentContent) -> DocumentChanges:
    """Return what changed from one version of a document to the next."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        fields = _fields(old, new)
        return DocumentChanges(changed=(RowChange("", fields),) if fields else ())
    before, after = _rows(old), _rows(new)
    key = _key_of(before, after)
    if not key:
        return _compare_contents(before, after)
    known, now = {row[key]: row for row in before}, {row[key]: row for row in after}
    gone = [row for row_key, row in known.items() if row_key not in now]
    came = [row for row_key, row in now.items() if row_key not in known]
    gone, came = _without_equals(gone, came, key)
    changed = [
        RowChange(title_of(row), fields)
        for row_key, row in now.items()
        if row_key in known and (fields := _fields(known[row_key], row))
    ]
    kept = [row_key for row_key in known if row_key in now]
    moved = kept != [row_key for row_key in now if row_key in known]
    return DocumentChanges(tuple(came), tuple(gone), tuple(changed), moved)


def title_of(row: Row) -> str:
    """Return what people may call a row: its name, its comment, or its first fields."""
    for field in ("name", "comment"):
        if row.get(field):
            return _bounded(row[field])
    fields = [f"{field}={_bounded(value)}" for field, value in row.items() if field != ".id" and value]
    return " ".join(fields[:_TITLE_FIELDS]) or row.get(".id", "a row without fields")


def _rows(document: DocumentContent) -> list[Row]:
    return [document] if isinstance(document, Mapping) else list(document)


def _key_of(*versions: Sequence[Row]) -> str:
    for key in _KEYS:
        if all(
            all(key in row for row in rows) and len({row[key] for row in rows}) == len(rows)
            for rows in versions
        ):
            return key
    return ""


def _fields(old: Row, new: Row) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(field, old.get(field), new.get(field))
        for field in sorted({*old, *new})
        if old.get(field) != new.get(field)
    )


def _compare_contents(before: Sequence[Row], after: Sequence[Row]) -> DocumentChanges:
    old, new = Counter(map(canonical_json, before)), Counter(map(canonical_json, after))
    added = tuple(json.loads(row) for row in (new - old).elements())
    removed = tuple(json.loads(row) for row in (old - new).elements())
    return DocumentChanges(added, removed, moved=not added and not removed and list(before) != list(after))


def _without_equals(gone: Iterable[Row], came: Iterable[Row], key: str) -> tuple[list[Row], list[Row]]:
    """Leave out rows that only have another id: a configuration that is restored gets new ones."""
    if key != ".id":
        return list(gone), list(came)
    waiting: dict[bytes, list[Row]] = {}
    for row in gone:
        waiting.setdefault(_content(row), []).append(row)
    new = []
    for row in came:
        equals = waiting.get(_content(row))
        if equals:
            equals.pop()
        else:
            new.append(row)
    return [row for rows in waiting.values() for row in rows], new


def _content(row: Row) -> bytes:
    return canonical_json({field: value for field, value in row.items() if field != ".id"})


def _named(title: str, text: str) -> str:
    return f"{title} ({text})" if title else text


def _bounded(value: str | None) -> str:
    return "nothing" if value is None else _cut(value, _MAX_VALUE) or "empty"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


CONFIGURATION = "config."


def section_of(kind: str) -> str:
    """Return the section of the configuration that a kind of document is of; empty if it is of none."""
    return kind.split(".")[1] if kind.startswith(CONFIGURATION) and kind.count(".") >= 2 else ""


def fingerprints(digests: Mapping[str, bytes]) -> dict[str, str]:
    """Return the fingerprint of each section of a configuration, and of all of it under an empty name.

    ``digests`` are SHA-256 of documents by their kinds. A section's is that of
    its documents' digests in the order of their kinds; that of all, of its sections'.
    """
    sections: dict[str, hashlib._Hash] = {}
    for kind in sorted(digests):
        section = section_of(kind)
        if section:
            sections.setdefault(section, hashlib.sha256()).update(digests[kind])
    if not sections:
        return {}
    whole = hashlib.sha256(b"".join(sections[name].digest() for name in sorted(sections)))
    return {"": whole.hexdigest()} | {name: sections[name].hexdigest() for name in sorted(sections)}


def lines_of(document: DocumentContent) -> list[str]:
    """Return a document as text that two versions can be compared in: a line for each row, fields by name."""
    return [
        " ".join(f"{field}={_quoted(value)}" for field, value in sorted(row.items()))
        for row in _rows(document)
    ]


def difference(old: DocumentContent, new: DocumentContent) -> list[str]:
    """Return what changed, line by line: ``-`` a row that went, ``+`` one that came, ``~`` a field that changed."""
    changes = compare(old, new)
    lines = [f"- {line}" for line in lines_of(changes.removed)]
    lines += [f"+ {line}" for line in lines_of(changes.added)]
    for row in changes.changed:
        for field in row.fields:
            was, now = ("" if value is None else _quoted(value) for value in (field.old, field.new))
            title = f"{row.title}: " if row.title else ""
            lines.append(f"~ {title}{field.field}={was} → {now}")
    if changes.moved:
        lines.append("~ the order of rows changed")
    return lines


def _quoted(value: str) -> str:
    plain = value and value.isprintable() and not any(character in ' "=' for character in value)
    return value if plain else json.dumps(value, ensure_ascii=False)
