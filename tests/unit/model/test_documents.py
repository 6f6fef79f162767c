from __future__ import annotations

import hashlib
import json
import random

from hypothesis import given
from hypothesis import strategies as st

from mtd.model.documents import (
    DocumentChanges,
    FieldChange,
    RowChange,
    canonical_json,
    compare,
    difference,
    fingerprints,
    lines_of,
    section_of,
    title_of,
)

DROP = {".id": "*1", "chain": "input", "action": "drop", "comment": "lab"}
ACCEPT = {".id": "*2", "chain": "input", "action": "accept", "protocol": "icmp"}

rows = st.dictionaries(
    st.sampled_from(["name", "comment", "chain", "action"]), st.sampled_from(["", "a", "b", "c"]), max_size=4
)
keyed = st.lists(rows, max_size=6).map(
    lambda found: [row | {".id": f"*{number}"} for number, row in enumerate(found)]
)


def test_a_row_that_came_one_that_went_and_one_that_changed() -> None:
    changes = compare([DROP, ACCEPT], [DROP | {"action": "reject"}, {".id": "*3", "chain": "forward"}])
    assert changes == DocumentChanges(
        added=({".id": "*3", "chain": "forward"},),
        removed=(ACCEPT,),
        changed=(RowChange("lab", (FieldChange("action", "drop", "reject"),)),),
    )
    assert changes.summary() == (
        "1 added: chain=forward; 1 removed: chain=input action=accept protocol=icmp;"
        " 1 changed: lab (action drop → reject)"
    )


def test_fields_that_come_and_go() -> None:
    changes = compare({"name": "a", "note": ""}, {"name": "b", "contact": "noc"})
    assert changes.summary() == "1 changed: contact nothing → noc, name a → b, note empty → nothing"


def test_a_row_that_only_has_another_id_is_the_same() -> None:
    assert not compare([DROP, ACCEPT], [DROP | {".id": "*8"}, ACCEPT | {".id": "*9"}])


def test_an_order_that_changed_is_told_where_rows_are_known_and_where_not() -> None:
    assert compare([DROP, ACCEPT], [ACCEPT, DROP]) == DocumentChanges(moved=True)
    assert compare([{"a": "1"}, {"a": "2"}], [{"a": "2"}, {"a": "1"}]).summary() == "order changed"


def test_rows_without_a_key_are_what_they_say() -> None:
    changes = compare([{"chain": "a"}, {"chain": "a"}], [{"chain": "a"}, {"chain": "b"}])
    assert changes == DocumentChanges(added=({"chain": "b"},), removed=({"chain": "a"},))


def test_a_summary_tells_each_count_however_long_names_are() -> None:
    long = [{"name": "n" * 500 + str(number)} for number in range(50)]
    summary = compare([], long).summary(100)
    assert summary.startswith("50 added: nnn")
    assert len(summary) <= 100


def test_what_a_row_is_called() -> None:
    assert title_of({"name": "lan", "comment": "Office"}) == "lan"
    assert title_of({".id": "*4", "disabled": ""}) == "*4"
    assert title_of({}) == "a row without fields"


@given(old=keyed, new=keyed)
def test_documents_that_are_equal_have_no_changes_and_all_others_have(
    old: list[dict[str, str]], new: list[dict[str, str]]
) -> None:
    """Ids don't count: a row is what it says."""

    def content(document: list[dict[str, str]]) -> list[bytes]:
        return [canonical_json({k: v for k, v in row.items() if k != ".id"}) for row in document]

    assert not compare(old, old)
    if sorted(content(old)) != sorted(content(new)):
        assert compare(old, new)
        assert compare(old, new).summary()


@given(old=keyed, new=keyed)
def test_what_changed_makes_the_new_of_the_old(old: list[dict[str, str]], new: list[dict[str, str]]) -> None:
    """As many rows come and go as the numbers of rows differ, and no row is told twice."""
    changes = compare(old, new)
    assert len(new) - len(old) == len(changes.added) - len(changes.removed)
    assert len(changes.changed) <= min(len(old), len(new))


def test_json_is_the_same_whatever_the_order_of_fields() -> None:
    fields = [(f"f{number}", str(number)) for number in range(8)]
    shuffled = fields.copy()
    random.Random(5).shuffle(shuffled)
    assert canonical_json(dict(fields)) == canonical_json(dict(shuffled))
    assert json.loads(canonical_json(dict(fields))) == dict(fields)


def test_sections_of_kinds() -> None:
    assert section_of("config.firewall.filter") == "firewall"
    assert section_of("config.system.ntp.client") == "system"
    assert [section_of(kind) for kind in ("config", "config.x", "system.identity", "")] == [""] * 4


def test_fingerprints_of_sections_and_of_all() -> None:
    digest = {name: hashlib.sha256(name.encode()).digest() for name in "abc"}
    found = {"config.l2.bridge": digest["a"], "config.l2.vlan": digest["b"], "config.l3.route": digest["c"]}
    whole = fingerprints(found | {"system.identity": digest["c"]})
    assert list(whole) == ["", "l2", "l3"]
    assert whole["l2"] == hashlib.sha256(digest["a"] + digest["b"]).hexdigest()
    assert fingerprints(dict(reversed(found.items()))) == whole
    other = fingerprints(found | {"config.l3.route": digest["a"]})
    assert (other["l2"] == whole["l2"], other["l3"] == whole["l3"], other[""] == whole[""]) == (
        True,
        False,
        False,
    )
    assert fingerprints({"system.identity": digest["a"]}) == {}


def test_differences_line_by_line() -> None:
    old = [DROP, ACCEPT, {".id": "*4", "chain": "output"}]
    new = [DROP | {"action": "reject", "comment": "two words"}, {".id": "*3", "chain": "forward"}]
    assert difference(old, new) == [
        "- .id=*2 action=accept chain=input protocol=icmp",
        "- .id=*4 chain=output",
        "+ .id=*3 chain=forward",
        "~ two words: action=drop → reject",
        '~ two words: comment=lab → "two words"',
    ]
    assert difference(old, old) == []
    assert lines_of({"name": "a=b", "note": ""}) == ['name="a=b" note=""']


def test_an_order_that_changed_is_a_difference_where_it_says_something() -> None:
    assert difference([DROP, ACCEPT], [ACCEPT, DROP]) == ["~ the order of rows changed"]
