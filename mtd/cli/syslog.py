"""``mtd syslog``: lines of routers' logs, and the rules that say what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from mtd.cli.connection import Connection
from mtd.cli.output import (
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
    server_option,
)
from mtd.cli.times import span_of, span_options
from mtd.client import MtdClient, logs

_PAGE = 500
_STYLES = {"emergency": "red", "alert": "red", "critical": "red", "error": "red", "warning": "yellow"}


@click.group()
def syslog() -> None:
    """Read what routers wrote in their logs and sent here, and try rules for it.

    Routers send it if they are told to:

    \b
    /system logging action set remote remote=ADDRESS-OF-MTD
    /system logging add action=remote topics=info
    """


@syslog.command("list")
@click.option("--device", "-d", "devices", multiple=True, help="Only of this device; may be repeated.")
@click.option(
    "--event",
    "-e",
    "event_types",
    multiple=True,
    help="Only of this type, such as interface.*; may be repeated.",
)
@click.option("--topic", "-t", "topics", multiple=True, help="Only with this topic; may be repeated.")
@click.option("--severity", type=click.Choice(logs.SEVERITIES), help="Least severity.")
@click.option("--contains", "-c", default="", help="Only lines with these letters.")
@click.option("--limit", "-n", type=click.IntRange(1), default=200, show_default=True, help="Most lines.")
@span_options
@server_option
@json_option
@explain_errors
def list_lines(
    limit: int,
    last: str | None,
    since: str | None,
    until: str | None,
    server: Connection,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Print lines of the last day, or of another time; on screen the newest are last.

    \b
    mtd syslog list -d core-1 --last 1h                 what core-1 wrote
    mtd syslog list -e user.login.failed --last 7d      who tried to log in
    mtd syslog list -c 198.51.100.7 --json              lines with an address, the newest first
    """
    start, end = span_of(last=last, since=since, until=until, default_last="24h")
    wanted |= {"severity": wanted["severity"] or "", "start": start, "end": end}
    with server.client() as client:
        found = islice(_lines(client, wanted, min(limit, _PAGE)), limit)
        if as_json:
            for line in found:
                print_json(line)
            return
        lines = list(found)
    if not lines:
        progress_console.print(
            "No line of that time is stored. Routers send lines if they are told to: see `mtd syslog --help`, and"
            " docs/syslog.md for what mtd drops and counts."
        )
    for line in reversed(lines):
        style = _STYLES.get(line.severity, "default")
        again = f" [dim](and {line.repeats} times more)[/]" if line.repeats else ""
        console.print(
            f"{line.time.astimezone():%Y-%m-%d %H:%M:%S} {plain(line.device or line.sender):16} "
            f"[{style}]{plain(','.join(line.topics) or line.severity):24}[/] {plain(line.text)}{again}",
            soft_wrap=True,
        )


@syslog.command("rules")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--line", "-l", help="Say what the rules make of this line.")
@json_option
@explain_errors
def rules(file: Path | None, line: str | None, as_json: bool) -> None:
    """Test a FILE of rules by the samples in it, or list the rules that there are.

    \b
    mtd syslog rules                                    the types of events that are known
    mtd syslog rules my-rules.yaml                      whether these rules do what their samples say
    mtd syslog rules --line 'interface,info ether1 link down'
    """
    # They come with the daemon, not with the client.
    from mtd.codec.syslog import read_line
    from mtd.codec.syslog.rules import failures
    from mtd.listeners.syslog.reading import load_rules

    loaded = load_rules(file)
    if line is not None:
        read = read_line(line.encode())
        found = loaded.find(read.topics, read.text)
        on_timeline = found is not None and loaded.tellings()[found.event_type].on_timeline
        if as_json:
            print_json({"topics": read.topics, "text": read.text, "found": found, "on_timeline": on_timeline})
            return
        console.print(plain(f"topics: {', '.join(read.topics) or 'none'}"))
        if found is None:
            console.print("no rule knows it")
            return
        for name, value in {
            "event": found.event_type,
            found.entity_type: found.entity,
            **found.values,
        }.items():
            console.print(plain(f"{name}: {value}"))
        console.print(f"on the timeline: {'yes' if on_timeline else 'no'}")
        return
    problems = list(failures(loaded))
    if as_json:
        print_json({"events": [rule.event_type for rule in loaded.all], "problems": problems})
    else:
        for rule in loaded.all:
            console.print(
                plain(f"{rule.event_type:36} {rule.samples[0].line if rule.samples else ''}"), soft_wrap=True
            )
    if problems:
        raise click.ClickException("\n".join(problems))


def _lines(client: MtdClient, wanted: dict[str, Any], size: int) -> Iterator[logs.LogRecord]:
    token = ""
    while True:
        found = client.ask(logs.page(**wanted, page_size=size, page_token=token))
        yield from found.records
        token = found.next_page_token
        if not token:
            return
