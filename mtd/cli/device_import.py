"""``mtd device import``: routers of a CSV file are added, or made what the file says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.progress import track

from mtd.cli.connection import Connection
from mtd.cli.device_csv import GROUPS, REQUIRED, Problem, Row, column_in, read_rows, refusals
from mtd.cli.device_settings import SECRETS
from mtd.cli.output import (
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
    server_option,
)
from mtd.cli.place import all_of
from mtd.client import MtdClient, MtdClientError, places
from mtd.client.values import Device

# Groups of settings in which what isn't named stays.
_MERGED = ("labels", "intervals_s", "t0")
_FINGERPRINTS = ("tls_fingerprint", "rest_tls_fingerprint")
_ADD, _CHANGE, _SAME = "added", "changed", "unchanged"


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Change nothing: tell what would be done, and what is wrong.")
@click.option("--update", is_flag=True, help="Change routers that are there already, by their names.")
@click.option(
    "--secrets",
    is_flag=True,
    help="With --update: also set the passwords in the file. What is stored can't be compared, so each is a change.",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the password of new routers that have none in the file.",
)
@click.option(
    "--add-places", is_flag=True, help="Add the sites and groups that the file names and that aren't there."
)
@server_option
@json_option
@explain_errors
def import_devices(
    file: Path,
    dry_run: bool,
    update: bool,
    secrets: bool,
    password_file: Path | None,
    add_places: bool,
    server: Connection,
    as_json: bool,
) -> None:
    """Add the routers of a CSV file.

    Its first line names the columns: name, host, username, password, and any
    setting that ``mtd device set`` knows, label:KEY, interval:TIER,
    t0:interfaces, t0:metrics, t0:pins and groups (names separated by |), and
    site. UTF-8; commas, semicolons or tabs. An empty cell says nothing. Every
    line is tried; what fails is told with line and column. Ends with code 1 if
    anything failed.

    \b
    mtd device import routers.csv --dry-run
    mtd device import routers.csv --update     again and again: only what differs is changed
    """
    rows = read_rows(file, required=("name",) if update else REQUIRED)
    password = password_file.read_text(encoding="utf-8").strip("\r\n") if password_file else ""
    counts = dict.fromkeys((_ADD, _CHANGE, _SAME), 0)
    problems: list[Problem] = []
    with server.client() as client:
        known = _known(client, must=update or not dry_run, silent=as_json)
        maker = _PlaceMaker(client) if add_places and not dry_run else None
        for row in track(rows, "importing", console=progress_console, disable=as_json, transient=True):
            what, settings = _plan(row, known, update=update, secrets=secrets, password=password)
            if not row.problems and not dry_run:
                _apply(client, row, what, settings, maker)
            if row.problems:
                problems += row.problems
            else:
                counts[what] += 1
    _tell(counts, problems, dry_run=dry_run, update=update, as_json=as_json)
    if problems:
        raise SystemExit(1)


def _known(client: MtdClient, *, must: bool, silent: bool) -> Mapping[str, Device] | None:
    """Return the routers that are there, by name; None if the daemon can't be asked and need not be."""
    try:
        return {device.name: device for device in client.list_devices()}
    except MtdClientError as error:
        if must:
            raise
        if not silent:
            progress_console.print(f"{plain(error)}: which names are taken, and secrets, aren't checked")
        return None


class _PlaceMaker:
    """Adds the sites and groups that lines name and that aren't there."""

    def __init__(self, client: MtdClient) -> None:
        self._client = client
        self._sites = {place.name for place in all_of(client, places.sites)}
        self._groups = {place.name for place in all_of(client, places.groups)}

    def make(self, settings: Mapping[str, Any]) -> None:
        """Add what a router's settings name."""
        for name in {settings.get("site") or ""} - self._sites - {""}:
            self._client.ask(places.create_site(name))
            self._sites.add(name)
        for name in set(settings.get(GROUPS, ())) - self._groups:
            self._client.ask(places.create_group(name))
            self._groups.add(name)


def _plan(
    row: Row, known: Mapping[str, Device] | None, *, update: bool, secrets: bool, password: str
) -> tuple[str, dict[str, Any]]:
    """Return what is to be done with a line, and with which settings; what is wrong is noted in the line."""
    if not row.name:
        row.wrong("name", "name must not be empty")
    there = None if known is None else known.get(row.name)
    if there is not None and not update:
        row.wrong("name", f"there is a device {row.name!r} already; --update would change it")
    if there is None or not update:
        return _ADD, _new(row, password)
    changes = _changes(row.settings, there, secrets=secrets)
    return (_CHANGE if changes else _SAME), changes


def _new(row: Row, password: str) -> dict[str, Any]:
    for column in ("host", "username"):
        if not row.settings.get(column) and not any(problem.column == column for problem in row.problems):
            row.wrong(column, f"{column} must not be empty")
    settings = {"password": password, **row.settings}
    if not row.problems:
        for column, error in refusals(settings):
            row.wrong(column, error)
    return settings


def _changes(settings: Mapping[str, Any], there: Device, *, secrets: bool) -> dict[str, Any]:
    """Return the settings of a line that a router doesn't have yet."""
    changes: dict[str, Any] = {}
    for name, value in settings.items():
        if name in SECRETS:
            if secrets:
                changes[name] = value
            continue
        before = getattr(there, name)
        after = {**before, **value} if name in _MERGED else value
        if name in _FINGERPRINTS:
            same = _bare(str(after)) == _bare(str(before))
        else:
            same = _same(name, after, before)
        if not same:
            changes[name] = after
    return changes


def _same(name: str, after: Any, before: Any) -> bool:
    if name == "ways":
        return list(after) == list(before)
    return set(after) == set(before) if name == GROUPS else bool(after == before)


def _bare(fingerprint: str) -> str:
    return fingerprint.replace(":", "").strip().lower()


def _apply(
    client: MtdClient, row: Row, what: str, settings: Mapping[str, Any], maker: _PlaceMaker | None
) -> None:
    try:
        if maker is not None:
            maker.make(settings)
        if what == _ADD:
            client.create_device(**settings)
        elif what == _CHANGE:
            client.update_device(row.name, **settings)
    except MtdClientError as error:
        for text in error.message.split("; "):
            row.wrong(column_in(text), f"{text} ({error.hint})" if error.hint else text)


def _tell(
    counts: Mapping[str, int], problems: Sequence[Problem], *, dry_run: bool, update: bool, as_json: bool
) -> None:
    failed = len({problem.line for problem in problems})
    if as_json:
        print_json({**counts, "failed": [dataclasses.asdict(p) for p in problems], "dry_run": dry_run})
        return
    told = [f"{counts[_ADD]} router(s) {'would be added' if dry_run else 'added'}"]
    if update:
        told += [
            f"{counts[_CHANGE]} {'would be changed' if dry_run else 'changed'}",
            f"{counts[_SAME]} as they are",
        ]
    console.print(f"{', '.join(told)}, {failed} failed.")
    for line in _lines(problems):
        console.print(line)


def _lines(problems: Sequence[Problem]) -> Iterator[str]:
    for problem in problems:
        where = f"line {problem.line}, {problem.name}" + (
            f", column {problem.column}" if problem.column else ""
        )
        yield f"  {plain(where)}: [red]{plain(problem.error)}[/]"
