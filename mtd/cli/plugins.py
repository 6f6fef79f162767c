"""``mtd plugins list`` and ``mtd catalogue``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from mtd.cli.config import load_settings
from mtd.cli.output import config_option, console, explain_errors, json_option, plain, print_json
from mtd.plugin.cost import cost_of
from mtd.plugin.declaration import Collector, Menu
from mtd.plugin.manager import BLOCK_VARIABLE, THIRD_PARTY, PluginInfo, PluginManager
from mtd.plugin.ways import ways_by_key

_BLOCKED = f"blocked: it, or {THIRD_PARTY}, is named in [plugins] blocked or in {BLOCK_VARIABLE}"


@click.group()
def plugins() -> None:
    """Look at the collector plugins."""


@plugins.command("list")
@config_option
@json_option
@explain_errors
def list_plugins(config_path: Path | None, as_json: bool) -> None:
    """List the plugins that are installed, whose they are, and what each reads from a router; and those left out."""
    manager = PluginManager.load(blocked=load_settings(config_path).plugins.blocked)
    origins = {name: info.distribution for info in manager.plugins for name in info.collectors}
    left_out = [_left_out(info) for info in manager.plugins if not info.loaded]
    if as_json:
        rows = [_described(collector, origins[collector.name]) for collector in manager.collectors]
        print_json({"plugins": rows, "left_out": left_out, "problems": manager.problems})
        return
    table = Table(
        "Plugin", "Distribution", "Version", "Tiers", "Menus", "Metrics", "Commands per hour", "Reads"
    )
    for collector in manager.collectors:
        costs = cost_of(collector)
        table.add_row(
            plain(collector.name),
            plain(origins[collector.name]),
            plain(collector.version),
            " ".join(cost.tier for cost in costs),
            str(len(collector.menus)),
            str(sum(1 for _ in collector.metrics())),
            f"{sum(cost.commands_per_hour for cost in costs):,.0f}",
            plain(collector.description),
        )
    console.print(table)
    console.print(
        "Commands per hour are those of a router that has every menu, at the tiers' own intervals;"
        " --json tells menu by menu."
    )
    for told in left_out:
        line = (
            f"Left out: plugin {told['name']} of {told['distribution']} {told['version']}: {told['reason']}"
        )
        console.print(plain(line) if told["blocked"] else f"[red]{plain(line)}[/]")


def _left_out(info: PluginInfo) -> dict[str, Any]:
    """Return what is installed and doesn't work, and why. Of several collectors, some may be loaded."""
    return {
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "blocked": info.blocked,
        "reason": info.problem or _BLOCKED,
        "loaded_collectors": info.collectors,
    }


def _described(collector: Collector, distribution: str) -> dict[str, Any]:
    """Return what a collector reads, what becomes of it, and what it costs a router."""
    costs = cost_of(collector)
    keys = [metric.key for metric in collector.metrics()]
    return {
        "name": collector.name,
        "distribution": distribution,
        "version": collector.version,
        "description": collector.description,
        "tiers": [cost.tier for cost in costs],
        "menus": [_menu(menu) for menu in collector.menus],
        "metrics": len(keys),
        "metric_keys": keys,
        "cost": {
            cost.tier: {
                "commands": cost.commands,
                "properties": cost.properties,
                "max_rows": cost.max_rows,
                "max_bytes": cost.max_bytes,
                "commands_per_hour": cost.commands_per_hour,
            }
            for cost in costs
        },
    }


def _menu(menu: Menu) -> dict[str, Any]:
    return {
        "name": menu.name,
        "path": menu.path,
        "command": menu.command_path,
        "tier": menu.tier.value,
        "kind": menu.kind.value,
        "table": menu.table,
        "requires": menu.requires,
        "rights": menu.rights,
        "properties": menu.to_command(("*1",)).proplist,
        "max_rows": menu.max_rows,
        "with": [companion.command_path for companion in menu.companions],
        "metrics": [metric.key for metric in menu.metrics()],
    }


@click.command()
@click.argument("pattern", default="*")
@config_option
@json_option
@explain_errors
def catalogue(pattern: str, config_path: Path | None, as_json: bool) -> None:
    """List the metrics whose key matches PATTERN ("iface.*"), with unit, tier and the ways by which they can come.

    A metric comes by the best way that is open: api, then rest, then snmp. By a
    way that isn't listed it is absent.
    """
    from fnmatch import fnmatchcase

    manager = PluginManager.load(blocked=load_settings(config_path).plugins.blocked)
    found = [metric for key, metric in sorted(manager.catalogue.metrics.items()) if fnmatchcase(key, pattern)]
    ways = ways_by_key(manager.collectors)
    if as_json:
        metrics = [asdict(metric) | {"ways": ways.get(metric.key, ())} for metric in found]
        print_json({"version": manager.catalogue.version, "metrics": metrics})
        return
    table = Table()
    table.add_column("Key", no_wrap=True, overflow="fold")
    for name in ("Kind", "Unit", "Tier", "Ways", "Description"):
        table.add_column(name)
    for metric in found:
        reached = " ".join(ways.get(metric.key, ()))
        cells = (metric.key, metric.kind, metric.unit, metric.tier, reached, metric.description)
        table.add_row(*map(plain, cells))
    console.print(table)
    console.print(f"{len(found)} metric(s), catalogue {manager.catalogue.version}")
