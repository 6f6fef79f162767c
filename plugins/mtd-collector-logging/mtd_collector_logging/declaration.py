"""What is read of a router's log settings. What is in the log comes another way: as syslog."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import Collector, DocumentEvent, Gauge, Menu, TableKind, snapshot

PATH = "/system/logging"


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
                key=f"logging.{key}",
                unit=Unit.COUNT,
                description=description,
                since="1",
                expected_min=0.0,
            ),
        ),
    )


def _changed(what: str) -> DocumentEvent:
    # Somebody who breaks in turns the log off first.
    return DocumentEvent(
        event_type="logging.changed",
        entity_type="configuration",
        message=f"{what}: {{changes}}",
        section="logging",
        severity=Severity.WARNING,
    )


COLLECTOR = Collector(
    name="logging",
    api=1,
    description="Log settings: what a router writes down, and where it sends it",
    menus=(
        _count("rules", PATH, "rules", "Rules that say which topics go where.", "disabled=true", "#!"),
        _count(
            "remote", f"{PATH}/action", "remote_targets", "Targets that are syslog servers.", "target=remote"
        ),
        snapshot(
            "logging.rules",
            PATH,
            "topics",
            "regex",
            "action",
            "prefix",
            "invalid",
            "disabled",
            "comment",
            row_key=".id",
            changes=_changed("log rules"),
        ),
        snapshot(
            "logging.actions",
            f"{PATH}/action",
            "target",
            "remote",
            "remote-port",
            "remote-protocol",
            "remote-log-format",
            "src-address",
            "vrf",
            "bsd-syslog",
            "syslog-facility",
            "syslog-severity",
            "syslog-time-format",
            "check-certificate",
            "memory-lines",
            "memory-stop-on-full",
            "disk-file-name",
            "disk-file-count",
            "disk-lines-per-file",
            "disk-stop-on-full",
            "remember",
            "comment",
            row_key="name",
            changes=_changed("log targets"),
        ),
    ),
)
