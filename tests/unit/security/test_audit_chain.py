"""How entries hang together, whatever is in them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.audit import AuditEntry
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.audit_chain import (
    GENESIS,
    MOST_CHARACTERS,
    ChainCheck,
    Deed,
    Head,
    Link,
    Problem,
    chained,
    clean,
    hash_of,
)

TENANT = "00000000-0000-4000-8000-000000000001"
START = Head(0, GENESIS)

texts = st.text(max_size=20)
entries = st.builds(
    AuditEntry,
    *(texts, texts, st.uuids().map(str), texts, texts, texts, texts, texts, texts),
    detail=st.dictionaries(texts, texts, max_size=4),
).map(clean)
deeds = st.builds(Deed, entries, st.integers(0, 2**62), st.uuids().map(str))


def problems(links: list[Link], end: Head | None = None) -> list[Problem]:
    check = ChainCheck(START)
    found = [problem for link in links for problem in check.take(link)]
    last = end or (Head(links[-1].position, links[-1].hash) if links else START)
    return [*found, *check.finish(last)]


@given(st.lists(deeds, max_size=6))
def test_a_chain_that_nobody_touched_holds(made: list[Deed]) -> None:
    links = chained(START, made)
    assert [link.deed for link in links] == made
    assert problems(links) == []


@given(st.lists(deeds, min_size=2, max_size=6, unique_by=lambda deed: deed.entry_id), st.data())
def test_what_was_done_to_it_shows_where_it_was_done(made: list[Deed], data: st.DataObject) -> None:
    links = chained(START, made)
    end = Head(links[-1].position, links[-1].hash)
    at = data.draw(st.integers(0, len(links) - 1))
    gone = problems([*links[:at], *links[at + 1 :]], end)
    assert gone[0].position == at + 1
    put = links[at]
    other = data.draw(deeds.filter(lambda deed: deed != put.deed))
    forged = replace(put, deed=other, hash=hash_of(put.position, other, put.prev_hash))
    found = problems([*links[:at], forged, *links[at + 1 :]], end)
    # Its own hash is good: what follows it doesn't follow it, or the noted end isn't it.
    assert found[0].position in (at + 1, at + 2)
    if at + 1 < len(links):
        swapped = [*links[:at], links[at + 1], links[at], *links[at + 2 :]]
        assert problems(swapped, end)[0].position == at + 1


CHANGES: list[Callable[[Deed], Deed]] = [
    lambda deed: replace(deed, ts_us=deed.ts_us + 1),
    lambda deed: replace(deed, entry_id=str(uuid.uuid4())),
    *(
        lambda deed, name=name: replace(
            deed, entry=replace(deed.entry, **{name: getattr(deed.entry, name) + "x"})
        )
        for name in ("action", "outcome", "caller_kind", "caller", "caller_id", "role", "peer", "target")
    ),
    lambda deed: replace(deed, entry=replace(deed.entry, tenant_id=NO_TENANT_ID)),
    lambda deed: replace(deed, entry=replace(deed.entry, detail={**deed.entry.detail, "a": "b"})),
    lambda deed: replace(deed, entry=replace(deed.entry, detail={})),
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_field_is_part_of_the_hash(change: Callable[[Deed], Deed]) -> None:
    deed = Deed(AuditEntry("a", "OK", TENANT, "user", "joe", "1", "admin", "here", "x", {"c": "d"}), 7)
    assert hash_of(1, change(deed), GENESIS) != hash_of(1, deed, GENESIS)


def test_texts_can_not_be_shifted_between_fields() -> None:
    one = Deed(AuditEntry("ab", "c", TENANT, "", ""), 7, str(uuid.UUID(int=1)))
    two = Deed(AuditEntry("a", "bc", TENANT, "", ""), 7, str(uuid.UUID(int=1)))
    assert hash_of(1, one, GENESIS) != hash_of(1, two, GENESIS)
    assert hash_of(1, one, GENESIS) != hash_of(2, one, GENESIS)


def test_the_encoding_stays() -> None:
    """Changed, every chain that is stored would be broken: it needs a format of its own instead."""
    entry = AuditEntry(
        "ca.revoke",
        "OK",
        TENANT,
        "user",
        "jö",
        "id",
        "admin",
        "ipv4:192.0.2.1:1",
        "serial=1",
        {"b": "2", "a": "1"},
    )
    deed = Deed(entry, 1_700_000_000_000_000, "00000000-0000-4000-8000-0000000000aa")
    assert hash_of(3, deed, bytes(range(32))).hex() == (
        "7ded1b6048677ada73bfc367a258f7f154486a25cb5c9c522d6443d3d625e889"
    )


def test_any_text_can_be_stored() -> None:
    entry = clean(AuditEntry("a\0", "\ud800", "?", "k", "c" * 5000, detail={str(n): "v" for n in range(100)}))
    assert (entry.action, entry.outcome, entry.tenant_id) == ("a\ufffd", "?", NO_TENANT_ID)
    assert len(entry.caller) == MOST_CHARACTERS
    assert len(entry.detail) == 50
