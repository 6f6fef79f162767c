"""Times and durations as people write them on a command line."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_OPTIONS = (
    click.option("--last", help="How far back from the end: 90s, 15m, 24h, 7d."),
    click.option(
        "--from",
        "since",
        help="Start, such as 2026-11-26, '2026-11-26 08:30' or 2026-11-26T08:30:00Z; local time without a zone.",
    ),
    click.option("--to", "until", help="End, written like the start. Default: now."),
)


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --last, --from and --to to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def span_of(
    *, last: str | None, since: str | None, until: str | None, default_last: str | None = None
) -> tuple[dt.datetime, dt.datetime]:
    """Return start and end. Raises click's errors for what can't be."""
    end = moment_of(until, "--to") if until else dt.datetime.now(dt.UTC)
    if last and since:
        raise click.UsageError("give --last or --from, not both")
    if since:
        start = moment_of(since, "--from")
    else:
        back = last or default_last
        if back is None:
            raise click.UsageError("say how far back: --last 24h, or --from")
        start = end - duration_of(back, "--last")
    if start >= end:
        raise click.UsageError(f"the range ends ({end.isoformat()}) before it starts ({start.isoformat()})")
    return start, end


def duration_of(text: str, option: str) -> dt.timedelta:
    """Return a duration such as 90s, 15m, 24h or 7d."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 15m, 24h or 7d", param_hint=option)
    try:
        return dt.timedelta(**{_UNITS[found.group(2)]: float(found.group(1))})
    except OverflowError:
        raise click.BadParameter(f"{text!r} is too long", param_hint=option) from None


def moment_of(text: str, option: str) -> dt.datetime:
    """Return a time with its zone; without one it is local."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a time such as 2026-11-26 or '2026-11-26 08:30'", param_hint=option
        ) from None
    return found if found.tzinfo is not None else found.astimezone()
