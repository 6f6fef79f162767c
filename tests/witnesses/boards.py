"""What rules and dashboards ask Prometheus, as they are shipped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "etc" / "prometheus" / "mtd.rules.yml"
BOARDS = ROOT / "etc" / "grafana" / "dashboards"

# Names of metrics, and of what rules record.
_NAME = re.compile(r"\b(?:mtd|routeros|process)_[a-z0-9_]+\b|\b[a-z]+:[a-z0-9_]+:[a-z0-9_]+\b")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Asked:
    """An expression, and where it stands."""

    place: str
    expression: str

    @property
    def names(self) -> set[str]:
        """The metrics that it names."""
        return set(_NAME.findall(_STRINGS.sub('""', self.expression)))

    def filled(self) -> str:
        """Return it with what Grafana puts in for its variables."""
        found = self.expression.replace("$__rate_interval", "20s")
        return re.sub(r"\$(instance|device)\b", ".*", found)


def of_rules() -> Iterator[tuple[str, Asked]]:
    """Yield what is recorded or alerted, and its expression."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            name = rule.get("record") or rule["alert"]
            yield name, Asked(f"{group['name']}: {name}", rule["expr"])


def alerts() -> set[str]:
    """Return the names of the alerts."""
    return {
        rule["alert"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def of_boards() -> Iterator[Asked]:
    """Yield the expressions of all panels."""
    for path in sorted(BOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield Asked(f"{path.stem}: {panel['title']}", target["expr"])
