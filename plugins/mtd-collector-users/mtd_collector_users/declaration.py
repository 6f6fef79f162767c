"""What is read of users, and what it means. Never passwords or keys."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Counted,
    DerivedRate,
    DocumentEvent,
    Gauge,
    Labels,
    Menu,
    RowEvent,
    TableKind,
    Tally,
    columns,
    snapshot,
)


def _count(name: str, path: str, key: str, description: str, *queries: str) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.COUNT_ONLY,
        tier=Tier.T3,
        queries=queries,
        fields=(
            Gauge(
                field="count",
                key=f"users.{key}",
                unit=Unit.COUNT,
                description=description,
                since="1",
                expected_min=0.0,
            ),
        ),
    )


def _changed(what: str) -> DocumentEvent:
    return DocumentEvent(
        event_type="users.changed",
        entity_type="configuration",
        message=f"{what}: {{changes}}",
        section="users",
        severity=Severity.WARNING,
    )


ACTIVE = Menu(
    name="active",
    path="/user/active",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="active_user",
    row_key=".id",
    scope="users.active",
    labels=Labels(name="name"),
    max_rows=500,
    max_bytes=262_144,
    fields=columns("name", "address", "via", "group", "when", "radius", "by-romon"),
    appears=RowEvent(event_type="user.logged_in", entity_type="user", message="{label} logged in"),
    vanishes=RowEvent(event_type="user.logged_out", entity_type="user", message="{label} logged out"),
    tallies=(
        Tally(
            key="users.sessions",
            description="Sessions of users on the router, mtd's own among them.",
            since="1",
        ),
        Tally(
            key="users.logins_total",
            description="Sessions that began since mtd watches, seen once a minute.",
            since="1",
            counts=Counted.APPEARED,
            rate=DerivedRate(
                key="users.logins_per_s",
                unit=Unit.EVENTS_PER_SECOND,
                description="Sessions that began, per second.",
                since="1",
            ),
        ),
    ),
)

SNAPSHOTS = (
    # When a user logged in last changes by itself: it isn't read.
    snapshot(
        "users.user",
        "/user",
        "group",
        "address",
        "inactivity-policy",
        "inactivity-timeout",
        "expired",
        "disabled",
        "comment",
        row_key="name",
        changes=_changed("users"),
    ),
    snapshot(
        "users.group",
        "/user/group",
        "policy",
        "skin",
        "comment",
        row_key="name",
        changes=_changed("user groups"),
    ),
    snapshot(
        "users.aaa",
        "/user/aaa",
        "use-radius",
        "accounting",
        "interim-update",
        "default-group",
        "exclude-groups",
        changes=_changed("RADIUS for users"),
    ),
    snapshot(
        "users.ssh_keys",
        "/user/ssh-keys",
        "user",
        "key-owner",
        "info",
        "key-type",
        "bits",
        "fingerprint",
        row_key=".id",
        changes=_changed("SSH keys of users"),
    ),
)

COLLECTOR = Collector(
    name="users",
    api=1,
    description="Users: accounts, groups, SSH keys, sessions; never passwords",
    menus=(
        ACTIVE,
        _count("accounts", "/user", "accounts", "Accounts that may log in.", "disabled=true", "#!"),
        _count("ssh-keys", "/user/ssh-keys", "ssh_keys", "Public SSH keys that users may log in with."),
        *SNAPSHOTS,
    ),
)
