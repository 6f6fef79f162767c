"""``/system/history``: what was done, and by whom. Its undo and redo hold whole commands, and are never read."""

from __future__ import annotations

from mtd.model.command import Rows
from mtd.model.metric import Tier, Unit
from mtd.plugin import Counted, DerivedRate, Labels, Menu, RowEvent, TableKind, Tally, columns


def one_sentence(rows: Rows) -> Rows:
    """Add ``text``: what was done and by whom."""
    texts: list[bytes | None] = []
    for action, by in zip(rows.column("action"), rows.column("by"), strict=True):
        texts.append(action if action is None or not by else action + b" by " + by)
    return Rows(rows.count, {**rows.columns, "text": texts})


HISTORY = Menu(
    name="history",
    path="/system/history",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="config_action",
    row_key=".id",
    scope="audit.action",
    labels=Labels(name="text"),
    reads=("action", "by", "policy", "time"),
    transform=one_sentence,
    max_rows=500,
    max_bytes=262_144,
    fields=columns("text", "action", "by", "policy", "time"),
    appears=RowEvent(event_type="config.action", entity_type="configuration", message="{label}"),
    tallies=(
        Tally(
            key="audit.actions_total",
            description="Changes of the configuration since mtd watches, as the router's history tells them.",
            since="1",
            counts=Counted.APPEARED,
            rate=DerivedRate(
                key="audit.actions_per_s",
                unit=Unit.EVENTS_PER_SECOND,
                description="Changes of the configuration, per second.",
                since="1",
            ),
        ),
        Tally(
            key="audit.undoable_actions",
            description="Changes that the router could still undo.",
            since="1",
        ),
    ),
)
