"""``mtd run`` and ``mtd migrate``."""

from __future__ import annotations

from pathlib import Path

import click

from mtd.cli.config import load_settings
from mtd.cli.output import config_option, console, explain_errors, json_option, plain, print_json


@click.command()
@config_option
def run(config_path: Path | None) -> None:
    """Run the daemon in the foreground, until Ctrl-C or SIGTERM.

    The same as `twistd -n --reactor=asyncio mtd --config FILE`. SIGTERM drains
    within a few seconds, SIGHUP reads the configuration again, SIGUSR1 writes
    down what it is about at that moment: a dump, in the data folder.
    """
    from mtd.core.aio import install_reactor

    install_reactor()
    from twisted.internet import reactor

    from mtd.app.tap import DaemonService

    service = DaemonService(config_path)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.callWhenRunning(service.startService)
    reactor.run()
    if service.failed:
        raise SystemExit(1)


@click.command()
@config_option
@json_option
@explain_errors
def migrate(config_path: Path | None, as_json: bool) -> None:
    """Bring the database schema up to this version of mtd.

    The daemon does this by itself at its start; here it is a step of its own,
    for those who upgrade by hand. Running it twice changes nothing.
    """
    settings = load_settings(config_path)
    from mtd.app.maintenance import migrate_database

    applied = migrate_database(settings, report=lambda text: None if as_json else console.print(plain(text)))
    if as_json:
        print_json({"applied": applied})
    else:
        console.print(f"[green]Schema is up to date[/] ({len(applied)} migration(s) applied).")
