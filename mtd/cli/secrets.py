"""``mtd secrets``: the keys that seal router passwords, and what they seal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.table import Table

from mtd.cli.config import load_settings
from mtd.cli.output import (
    config_option,
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
)

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.storage.stores.rotation import Rotated
    from mtd.storage.stores.secret_status import SecretStatus

T = TypeVar("T")
_SHOWN = 20


@click.group()
def secrets() -> None:
    """Look after the keys that seal router passwords. The daemon may be running.

    Each tenant has a data key that seals its secrets; the master key, which is in a
    file or in the environment, seals the data keys. See docs/secrets.md.
    """


@secrets.command()
@click.option("--master", is_flag=True, help="A new master key, on top of its file.")
@click.option("--data-keys", is_flag=True, help="A new data key for each tenant.")
@click.option("--tenant", default="", help="Only the data key of this tenant, by name or id.")
@config_option
@json_option
@explain_errors
def rotate(master: bool, data_keys: bool, tenant: str, config_path: Path | None, as_json: bool) -> None:
    """Make new keys, and seal all secrets anew with them; both kinds unless one is named.

    \b
    mtd secrets rotate --data-keys --tenant acme   somebody saw a data key of acme
    mtd secrets rotate --master                    somebody saw the key file
    mtd secrets rotate                             once a year

    Polling goes on meanwhile. What ended half-way goes on when it is called again.
    The old master key stays in its file, below the new one: backups of the database
    from before need it.
    """
    from mtd.app.rotating import Wanted, rotate_keys

    settings = load_settings(config_path)
    both = not (master or data_keys)
    wanted = Wanted((both and not tenant) or master, both or data_keys, tenant)
    report = _reporter(as_json)
    done = _on_database(settings, as_json, lambda dsn: rotate_keys(settings, dsn, wanted, report))
    if as_json:
        print_json(done)
    else:
        _show_rotated(done)
    if done.unreadable:
        raise click.exceptions.Exit(1)


@secrets.command()
@config_option
@json_option
@explain_errors
def status(config_path: Path | None, as_json: bool) -> None:
    """Show keys, how many secrets each has sealed, what can't be opened, and what to do."""
    found = _look(config_path, as_json)
    if as_json:
        print_json(_as_json(found))
    else:
        _show_status(found)


@secrets.command()
@config_option
@json_option
@explain_errors
def check(config_path: Path | None, as_json: bool) -> None:
    """Try to open every secret; end with code 1 if one can't be opened."""
    found = _look(config_path, as_json)
    if as_json:
        print_json({"ok": not found.unreadable, "secrets": found.secrets, "unreadable": found.unreadable})
    elif found.unreadable:
        _show_unreadable(found.unreadable)
    else:
        console.print(f"[green]all {found.secrets:,} secrets can be opened[/]")
    if found.unreadable:
        raise click.exceptions.Exit(1)


def _look(config_path: Path | None, as_json: bool) -> SecretStatus:
    from mtd.app.rotating import look_at_secrets

    settings = load_settings(config_path)
    return _on_database(settings, as_json, lambda dsn: look_at_secrets(settings, dsn))


def _on_database(settings: Settings, as_json: bool, work: Callable[[str], Coroutine[Any, Any, T]]) -> T:
    from mtd.app.maintenance import running_database
    from mtd.cli.reactor import run_on_reactor

    with running_database(settings, _reporter(as_json)) as dsn:
        result = run_on_reactor(work(dsn))
    if result is None:
        raise click.Abort
    return result


def _reporter(as_json: bool) -> Callable[[str], None]:
    return (lambda text: None) if as_json else (lambda text: progress_console.print(text, style="dim"))


def _show_rotated(done: Rotated) -> None:
    table = Table("Rotated", "", box=None, show_header=False)
    if done.new_master_key:
        table.add_row("new master key", done.new_master_key)
    table.add_row("data keys sealed anew", f"{done.rewrapped:,}")
    table.add_row("new data keys", f"{done.new_data_keys:,}")
    table.add_row("secrets sealed anew", f"{done.sealed:,}")
    table.add_row("old data keys removed", f"{done.removed_data_keys:,}")
    console.print(table)
    if done.new_master_key:
        console.print(
            "Back the key file up now, apart from the database: it holds the only copy of the new key."
        )
    _show_unreadable(done.unreadable)


def _show_status(found: SecretStatus) -> None:
    masters = Table("Master key", "state", "data keys", "secrets of version 1", title_justify="left")
    for one in found.master_keys:
        state = "newest" if one.newest else "older" if one.present else "[red]missing[/]"
        masters.add_row(one.key_id, state, f"{one.data_keys:,}", f"{one.first_version_secrets:,}")
    console.print(masters)
    keys = Table("Tenant", "data key", "master key", "state", "made", "secrets")
    for key in found.data_keys:
        state = "seals" if key.retired_at is None else "opens"
        if key.retired_at is None and key.complete_at is None:
            state = "[yellow]seals; not all is sealed with it[/]"
        if key.problem:
            state = "[red]unusable[/]"
        keys.add_row(
            *(plain(key.tenant or key.tenant_id), key.key_id, key.master_key_id, state),
            *(_day(key.created_at), f"{key.secrets:,}"),
        )
    console.print(keys)
    console.print(f"{found.secrets:,} secrets are stored, {found.references:,} are kept elsewhere")
    _show_unreadable(found.unreadable)
    for advice in found.advice:
        console.print(f"[yellow]next:[/] {plain(advice)}")


def _show_unreadable(reasons: Any) -> None:
    for reason in reasons[:_SHOWN]:
        console.print(f"[red]unreadable:[/] {plain(reason)}")
    if len(reasons) > _SHOWN:
        console.print(f"and {len(reasons) - _SHOWN:,} more: see --json")


def _as_json(found: SecretStatus) -> dict[str, Any]:
    return {
        "master_keys": found.master_keys,
        "data_keys": found.data_keys,
        "secrets": found.secrets,
        "references": found.references,
        "unreadable": found.unreadable,
        "next": found.advice,
    }


def _day(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")
