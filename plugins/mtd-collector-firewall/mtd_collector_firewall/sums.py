"""Sums of rules, labels of rules, and lengths of lists."""

from __future__ import annotations

from collections import Counter as Numbers
from collections.abc import Callable

from mtd.model.command import Rows
from mtd.model.values import integer

COUNTED = ("bytes", "packets")


def by_chain(table: str) -> Callable[[Rows], Rows]:
    """Return what sums the counters of rules by chain and action: ``filter/forward/drop``.

    A sum without one part is wrong: if a rule's counter is missing, its sum is absent. ``rules`` says which
    ones it is made of.
    """
    prefix = table.encode()

    def sums(rows: Rows) -> Rows:
        groups: dict[bytes, list[int | None]] = {}
        rules: dict[bytes, list[bytes]] = {}
        columns = [rows.column(name) for name in (".id", "chain", "action", *COUNTED)]
        for rule, chain, action, *counters in zip(*columns, strict=True):
            if not chain:
                continue
            group = b"/".join((prefix, chain, action)) if action else b"/".join((prefix, chain))
            totals = groups.setdefault(group, [0] * len(COUNTED))
            rules.setdefault(group, []).append(rule or b"")
            for place, raw in enumerate(counters):
                so_far, more = totals[place], integer(raw)
                totals[place] = None if so_far is None or more is None else so_far + more
        made: dict[str, list[bytes | None]] = {
            name: [_written(totals[place]) for totals in groups.values()]
            for place, name in enumerate(COUNTED)
        }
        # Where they stand doesn't matter.
        made["rules"] = [b",".join(sorted(ids)) for ids in rules.values()]
        return Rows(len(groups), {"group": list(groups), **made})

    return sums


def _written(total: int | None) -> bytes | None:
    return None if total is None else b"%d" % total


def labelled(rows: Rows) -> Rows:
    """Return rules with what people call them: the comment, or chain and action."""
    labels = [
        comment or b" ".join(part for part in (chain, action) if part)
        for comment, chain, action in zip(
            rows.column("comment"), rows.column("chain"), rows.column("action"), strict=True
        )
    ]
    return Rows(rows.count, {**rows.columns, "label": labels})


def entries_by_list(rows: Rows) -> Rows:
    """Return a row per address list, with the number of its entries."""
    lists = Numbers(name for name in rows.column("list") if name)
    return Rows(len(lists), {"list": list(lists), "entries": [b"%d" % count for count in lists.values()]})
