"""How entries of the audit log hang together, and what breaks that.

The hash of an entry is SHA-256 over the hash of the entry before it and all fields, each with its length
before it, so that no two entries are written alike. The first entry follows 32 zero bytes. Pure.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mtd.model.audit import AuditEntry
from mtd.model.tenant import NO_TENANT_ID

GENESIS = bytes(32)
"""What the first entry follows."""

PRUNED = "audit.prune"
"""The action of the entry that tells which entries were removed because their time was over."""

LEAST_DAYS = 30
"""What is younger is never removed, so that a removal of it shows."""

MOST_CHARACTERS = 2000
_MOST_DETAILS = 50
_FORMAT = b"mtd audit entry 1\0"
_TEXTS = ("action", "outcome", "caller_kind", "caller", "caller_id", "role", "peer", "target")


@dataclass(frozen=True, slots=True)
class Deed:
    """An entry that has an id and a time, and no place in the chain yet. Times are microseconds since the epoch."""

    entry: AuditEntry
    ts_us: int
    entry_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place."""

    position: int
    deed: Deed
    prev_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends; position 0 and `GENESIS` if it is empty."""

    position: int
    hash: bytes
    chain_id: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the chain, and from which position on."""

    position: int
    kind: str
    message: str


@dataclass(slots=True)
class AuditReport:
    """What was found. ``unanchored``: entries behind the newest anchor, whose removal would not show."""

    ok: bool = True
    chain_id: str = ""
    entries: int = 0
    first_position: int = 0
    last_position: int = 0
    head_hash: str = ""
    pruned_to: int = 0
    anchors: int = 0
    anchors_unchecked: int = 0
    newest_anchor_us: int = 0
    unanchored: int = 0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    duration_s: float = 0.0


def clean(entry: AuditEntry) -> AuditEntry:
    """Return an entry whose texts can be stored as they are: bounded, without NUL and halves of characters."""
    texts = {name: _text(getattr(entry, name)) for name in _TEXTS}
    detail = {
        _text(name): _text(value) for name, value in sorted(entry.detail.items())[:_MOST_DETAILS] if value
    }
    return replace(entry, tenant_id=_tenant(entry.tenant_id), detail=detail, **texts)


def link(head: Head, deed: Deed) -> Link:
    """Return a deed as the next entry of a chain."""
    position = head.position + 1
    return Link(position, deed, head.hash, hash_of(position, deed, head.hash))


def chained(head: Head, deeds: Iterable[Deed]) -> list[Link]:
    """Return deeds as the next entries of a chain, in their order."""
    links: list[Link] = []
    for deed in deeds:
        links.append(link(head, deed))
        head = Head(links[-1].position, links[-1].hash, head.chain_id)
    return links


def hash_of(position: int, deed: Deed, prev_hash: bytes) -> bytes:
    """Return the hash of an entry at a place of the chain."""
    entry = deed.entry
    parts = [
        _FORMAT,
        prev_hash,
        struct.pack(">qq", position, deed.ts_us),
        uuid.UUID(deed.entry_id).bytes,
        uuid.UUID(entry.tenant_id).bytes,
        *(_measured(getattr(entry, name)) for name in _TEXTS),
        struct.pack(">I", len(entry.detail)),
    ]
    for name, value in sorted(entry.detail.items()):
        parts += (_measured(name), _measured(value))
    return hashlib.sha256(b"".join(parts)).digest()


class ChainCheck:
    """Looks at the entries of a chain one by one, in the order of their positions.

    ``start`` is what the first of them has to follow.
    """

    def __init__(self, start: Head) -> None:
        self.head = start
        self.entries = 0

    def take(self, entry: Link) -> Iterator[Problem]:
        """Look at the next entry; yield what is wrong with it. Goes on behind it, whatever it found."""
        expected = self.head.position + 1
        if entry.position < expected:
            yield Problem(entry.position, "order", f"entry {entry.position} comes after {self.head.position}")
        elif entry.position > expected:
            last = entry.position - 1
            which = f"entry {expected} is" if last == expected else f"the entries {expected} to {last} are"
            yield Problem(expected, "missing", f"{which} missing")
        elif entry.prev_hash != self.head.hash:
            yield Problem(
                entry.position,
                "link",
                f"entry {entry.position} doesn't follow entry {self.head.position} as it is now:"
                " that one was put in the place of another, or this one was",
            )
        if hash_of(entry.position, entry.deed, entry.prev_hash) != entry.hash:
            yield Problem(
                entry.position,
                "changed",
                f"entry {entry.position} was changed: its hash isn't that of its fields",
            )
        self.head = Head(entry.position, entry.hash, self.head.chain_id)
        self.entries += 1

    def finish(self, head: Head) -> Iterator[Problem]:
        """Look at the noted end of the chain, when all entries were seen."""
        if head.position > self.head.position:
            first = self.head.position + 1
            yield Problem(
                first, "truncated", f"the end of the chain is missing: entries {first} to {head.position}"
            )
        elif head.position < self.head.position:
            yield Problem(
                head.position + 1,
                "head",
                f"entries behind {head.position}, the noted end, were put in by others",
            )
        elif head.hash != self.head.hash:
            yield Problem(
                head.position, "head", f"the noted end of the chain doesn't fit entry {self.head.position}"
            )


def pruned_detail(last: Head, before_us: int, keep_days: int) -> Mapping[str, str]:
    """Return what the entry says that tells of a removal: the last entry that goes, and why."""
    return {
        "position": str(last.position),
        "hash": last.hash.hex(),
        "before_us": str(before_us),
        "keep_days": str(keep_days),
    }


def tells_of(entry: Link, checkpoint: Head) -> bool:
    """Return whether an entry tells of the removal of all up to a checkpoint."""
    said = entry.deed.entry
    return (
        said.action == PRUNED
        and said.detail.get("position") == str(checkpoint.position)
        and said.detail.get("hash") == checkpoint.hash.hex()
        and entry.position > checkpoint.position
    )


def _measured(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">I", len(data)) + data


def _text(value: object) -> str:
    text = str(value)
    if len(text) > MOST_CHARACTERS:
        text = text[: MOST_CHARACTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()


def _tenant(tenant_id: str) -> str:
    try:
        return str(uuid.UUID(tenant_id))
    except ValueError:
        return NO_TENANT_ID
