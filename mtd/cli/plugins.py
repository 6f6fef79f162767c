"""``mtd plugins list`` and ``mtd catalogue``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from mtd.cli.config import load_settings
from mtd.cli.output import config_option, console, explain_errors, json_option, plain, print_json
from mtd.plugin.manager import PluginManager


@click.group()
def plugins() -> None:
    """Look at the collector plugins."""


@plugins.command("list")
@config_option
@json_option
@explain_errors
def list_plugins(config_path: Path | None, as_json: bool) -> None:
    """List the plugins that are installed, and what each reads from a router."""
    manager = PluginManager.load(blocked=load_settings(config_path).plugins.blocked)
    rows: list[dict[str, Any]] = [
        {
            "name": collector.name,
            "version": collector.version,
            "menus": [{"path": menu.path, "tier": menu.tier.value} for menu in collector.menus],
            "metrics": sum(
                1
                for key in manager.catalogue.metrics
                if manager.catalogue.collector_of(key) == collector.name
            ),
        }
        for collector in manager.collectors
    ]
    if as_json:
        print_json({"plugins": rows, "problems": manager.problems})
        return
    table = Table("Plugin", "Version", "Reads", "Metrics")
    for row in rows:
        menus = "\n".join(f"{menu['tier']}  {plain(menu['path'])}" for menu in row["menus"])
        table.add_row(plain(row["name"]), plain(row["version"]), menus, str(row["metrics"]))
    console.print(table)
    for problem in manager.problems:
        console.print(f"[red]{plain(problem)}[/]")


@click.command()
@click.argument("pattern", default="*")
@config_option
@json_option
@explain_errors
def catalogue(pattern: str, config_path: Path | None, as_json: bool) -> None:
    """List the metrics whose key matches PATTERN ("iface.*"), with unit and tier."""
    from fnmatch import fnmatchcase

    manager = PluginManager.load(blocked=load_settings(config_path).plugins.blocked)
    found = [metric for key, metric in sorted(manager.catalogue.metrics.items()) if fnmatchcase(key, pattern)]
    if as_json:
        print_json({"version": manager.catalogue.version, "metrics": found})
        return
    table = Table()
    table.add_column("Key", no_wrap=True, overflow="fold")
    for name in ("Kind", "Unit", "Tier", "Description"):
        table.add_column(name)
    for metric in found:
        cells = (metric.key, metric.kind, metric.unit, metric.tier, metric.description)
        table.add_row(*map(plain, cells))
    console.print(table)
    console.print(f"{len(found)} metric(s), catalogue {manager.catalogue.version}")
