"""``mtd audit``: who did what, and whether the log of it is as it was written."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress
from rich.table import Table

from mtd.cli.connection import Connection, server_option
from mtd.cli.output import (
    config_option,
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
)
from mtd.cli.times import span_of, span_options
from mtd.client import audit as calls
from mtd.client.identity import every

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN = 100
_FILTERS = (
    click.option("--caller", default="", metavar="NAME", help="Only of this caller; * stands for any text."),
    click.option(
        "--action",
        default="",
        metavar="ACTION",
        help="Only this action, such as 'inventory.*' or daemon.start.",
    ),
    click.option("--outcome", default="", help="Only with this outcome: OK, PERMISSION_DENIED, NOT_FOUND."),
    click.option("--target", default="", metavar="TEXT", help="Only what was done to this: device=core-1."),
    click.option("--all-tenants", is_flag=True, help="Of all tenants, and of none: for super-admins."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which entries are wanted."""
    for option in reversed(_FILTERS):
        command = option(command)
    return span_options(command)


def _wanted(last: str | None, since: str | None, until: str | None, **texts: Any) -> calls.Wanted:
    start = end = None
    if last or since or until:
        start, end = span_of(last=last, since=since, until=until, default_last="36500d")
        end = end if until else None
    return calls.Wanted(start=start, end=end, **texts)


@click.group()
def audit() -> None:
    """The audit log: who did what, to what, from where.

    \b
    mtd audit list --last 24h --action 'inventory.*'   what was changed since yesterday
    mtd audit list --outcome PERMISSION_DENIED         what was refused
    mtd audit export --all-tenants > audit.jsonl       all of it, for the archive
    mtd audit verify                                   whether anybody changed it
    """


@audit.command("list")
@filter_options
@click.option(
    "--limit", "-n", type=click.IntRange(1), default=_SHOWN, show_default=True, help="Most entries."
)
@server_option
@json_option
@explain_errors
def list_entries(
    last: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    server: Connection,
    as_json: bool,
    **texts: Any,
) -> None:
    """Show entries, the newest first: those of your tenant."""
    wanted = _wanted(last, since, until, **texts)
    with server.client() as client:
        pages = every(
            client, lambda token: calls.entries(wanted, page_size=min(limit, 1000), page_token=token)
        )
        found = list(islice(pages, limit))
    if as_json:
        print_json(found)
        return
    if not found:
        progress_console.print("No entry is like that.")
        return
    table = Table("#", "when (UTC)", "who", "from", "what", "to what", "outcome", "more")
    for one in found:
        who = f"{one.caller_kind} {one.caller}".strip()
        more = " ".join(f"{name}={value}" for name, value in one.detail.items())
        outcome = plain(one.outcome) if one.outcome in ("OK", "STARTED") else f"[red]{plain(one.outcome)}[/]"
        cells = (one.position, f"{one.at:%Y-%m-%d %H:%M:%S}", who, one.peer, one.action, one.target)
        table.add_row(*map(plain, cells), outcome, plain(more))
    console.print(table)


@audit.command("export")
@filter_options
@click.option(
    "--after",
    "after_position",
    type=click.IntRange(0),
    default=0,
    help="Only what comes behind this position: the last one of an earlier export.",
)
@server_option
@click.option("--json", "_as_json", is_flag=True, help="Print JSON, as it does anyway.")
@explain_errors
def export_entries(
    last: str | None,
    since: str | None,
    until: str | None,
    after_position: int,
    server: Connection,
    _as_json: bool,
    **texts: Any,
) -> None:
    """Print entries as lines of JSON, the oldest first, to the end of the log.

    Each line has the hashes of the chain, so that it can be checked elsewhere. If the daemon goes away in between,
    the export goes on where it was.
    """
    wanted = _wanted(last, since, until, **texts)
    with server.client() as client:
        for record in calls.exported(client, wanted, after_position=after_position):
            print_json(record)


class _Known(click.ParamType):  # type: ignore[type-arg]
    name = "POSITION:HASH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, str]:
        """Return position and hash."""
        position, _, digest = str(value).partition(":")
        if (
            not position.isdecimal()
            or int(position) < 1
            or len(digest) != 64
            or set(digest) - set("0123456789abcdef")
        ):
            self.fail(
                f"{value!r} isn't POSITION:HASH, as the daemon's log and earlier checks print it", param, ctx
            )
        return int(position), digest


_known_option = click.option(
    "--known",
    multiple=True,
    type=_Known(),
    help="An end of the log that was noted elsewhere, as the daemon's log and earlier checks print it; repeatable.",
)


@audit.command()
@config_option
@_known_option
@click.option(
    "--through-daemon", is_flag=True, help="Have the daemon do it, instead of reading the database here."
)
@server_option
@json_option
@explain_errors
def verify(
    config_path: Path | None,
    known: tuple[tuple[int, str], ...],
    through_daemon: bool,
    server: Connection,
    as_json: bool,
) -> None:
    """Look at every entry of the audit log: whether any was changed, put in or removed. Ends with code 1 if so.

    Reads the database directly; the daemon may be running, or not. Needs the master key for the anchors in the
    data folder, by which an end that was cut off is noticed. docs/audit.md says what is noticed, and what isn't.
    """
    with Progress(console=progress_console, transient=True, disable=as_json) as bar:
        task = bar.add_task("reading the audit log", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        report: Any = (
            _asked(server, dict(known), progress) if through_daemon else _read(config_path, known, progress)
        )
    if as_json:
        print_json(report)
    else:
        _print(report)
    if not report.ok:
        raise SystemExit(1)


def _asked(
    server: Connection, known: dict[int, str], progress: Callable[[int, int], None]
) -> calls.AuditReport:
    with server.client() as client, client.run(calls.verify(known)) as run:
        report: calls.AuditReport | None = None
        for step in run:
            progress(step.done, step.total)
            report = step.report
    if report is None:
        raise click.ClickException("the daemon ended the check without a report")
    return report


def _read(
    config_path: Path | None, known: tuple[tuple[int, str], ...], progress: Callable[[int, int], None]
) -> Any:
    from mtd.app.audit_direct import verify_audit
    from mtd.cli.config import load_settings
    from mtd.security.audit_chain import Head

    noted = [Head(position, bytes.fromhex(digest)) for position, digest in known]
    return verify_audit(load_settings(config_path), _silent, noted, progress)


def _print(report: Any) -> None:
    if report.ok:
        console.print(f"[green]The audit log is as it was written[/]: {report.entries:,} entries.")
    else:
        console.print(f"[red]The audit log isn't as it was written[/]: {report.problem_count} problem(s).")
        for problem in report.problems:
            console.print(f"  {plain(problem.message)}")
    if report.pruned_to:
        console.print(f"Entries up to {report.pruned_to:,} were removed, as their time was over.")
    if report.anchors:
        newest = dt.datetime.fromtimestamp(report.newest_anchor_us / 1e6, dt.UTC)
        console.print(
            f"{report.anchors:,} anchors outside of PostgreSQL fit or were told of above, the newest of {newest:%Y-%m-%d %H:%M:%S} UTC;"
            f" {report.unanchored:,} entries are younger."
        )
    else:
        console.print(
            "[yellow]There is no anchor outside of PostgreSQL[/]: that the end was cut off would not show."
        )
    if report.anchors_unchecked:
        console.print(f"{report.anchors_unchecked:,} anchors are of a master key that isn't in use any more.")
    console.print(
        f"It ends at {report.last_position}:{report.head_hash} (for --known, if you note it elsewhere)."
    )


@audit.command()
@config_option
@click.option("--reason", required=True, help="Why the log is as it is: 'restored the backup of Monday'.")
@json_option
@explain_errors
def accept(config_path: Path | None, reason: str, as_json: bool) -> None:
    """Take the audit log as it ends now, after its database was restored or made anew.

    Puts the old anchors aside, begins new ones, and writes into the log that you did so, why, and what was wrong.
    Entries that were changed are told of by `mtd audit verify` all the same.
    """
    from mtd.app.audit_direct import accept_audit
    from mtd.cli.config import load_settings

    found = accept_audit(load_settings(config_path), _silent, reason)
    if as_json:
        print_json({"problems_before": found.problem_count, "last_position": found.last_position})
    else:
        console.print(
            f"New anchors begin behind entry {found.last_position}; {found.problem_count} problem(s) before."
        )


def _silent(_text: str) -> None:
    """Say nothing of a database that is started for this."""
