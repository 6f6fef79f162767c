"""``scripts/fuzz``: a whole daemon, and very many malformed requests at its doors."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import click
from rich.console import Console

from mtd.api.grpc.server import DESCRIPTORS
from mtd.testing.bench_output import folder, show
from mtd.testing.fuzz.calls import fuzz_calls
from mtd.testing.fuzz.requests import fuzz_requests
from mtd.testing.harness import HarnessFailed, Stage, memory_of

MIB = 2**20
_FIRST_SHARE = 0.1  # caches fill, and pools open, with the first requests
_READY_AGAIN_S = 30.0
_LONGEST_PARSER_S = 900.0
_EXAMPLES = 1000
EACH = "each"
_ROUNDS = 9
_ROUTERS = ("--scenario", "fleet", "--routers", "2", "--interfaces", "4")

PATHS = (
    *("/", "/healthz", "/readyz", "/metrics", "/metrics/devices", "/probe", "/sd", "/openapi.json"),
    *("/ingest/v1/batch", "/ingest/v1/batch", "/ingest/v1/batch", "/ingest/v1/heartbeat"),
    *("/console", "/console/", "/console/live", "/console/assets/x", "/console/login", "/console/logout"),
    *(
        "/console/api/v1/events",
        "/console/api/v1/logs",
        "/console/api/v1/flows",
        "/console/api/v1/flows/paths",
        "/console/api/v1/flows/records",
        "/console/api/v1/flows/interfaces",
        "/console/api/v1/drops",
        "/console/api/v1/catalogue",
        "/console/api/v1/self",
        "/console/api/v1/session",
    ),
    *("/console/api/v1/devices/lab-0001", "/console/api/v1/devices/lab-0001/history"),
    *("/console/api/v1/devices/lab-0001/events", "/console/api/v1/devices/lab-0001/health"),
    *("/login", "/logout", "/login/oidc", "/login/oidc/callback"),
)


def fuzz(stage: Stage, count: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Send so many requests to a stage that runs, half of them to each door; return what became of them.

    Raises HarnessFailed if a request was answered by a fault of the daemon's own, if it
    logged a traceback, grew without bound, or isn't ready any more.
    """
    daemon = stage.daemon
    assert daemon is not None
    first = max(1, int(count * _FIRST_SHARE))
    say(f"the first {first:,} requests")
    _round(stage, first, seed)
    before = memory_of(daemon.pid)
    figures: dict[str, Any] = {"first_requests": first}
    grown_mb = []
    done = first
    for number in range(1, _ROUNDS + 1):
        until = first + (count - first) * number // _ROUNDS
        say(f"{done:,} of {count:,} requests")
        _add(figures, _round(stage, until - done, seed + done))
        daemon.check()
        done = until
        grown_mb.append(round((memory_of(daemon.pid) - before) / MIB, 1))
    grown = grown_mb[-1]
    figures["memory_grown_mb"] = grown_mb
    deadline = time.monotonic() + _READY_AGAIN_S
    while not stage.is_ready():
        if time.monotonic() > deadline:
            raise HarnessFailed(f"the daemon isn't ready any more:\n{daemon.tail()}")
        time.sleep(0.2)  # noqa: TID251 - a script's own wait, no reactor here
    log = daemon.log_path.read_text(errors="replace")
    if "Traceback" in log:
        raise HarnessFailed(f"the daemon logged tracebacks:\n{_tracebacks(log)}")
    if grown > 256:
        raise HarnessFailed(f"the daemon grew by {grown:.0f} MB: {json.dumps(figures)}")
    return figures


def _add(figures: dict[str, Any], more: dict[str, Any]) -> None:
    """Add up the figures of rounds."""
    for name, value in more.items():
        if isinstance(value, dict):
            _add(figures.setdefault(name, {}), value)
        else:
            figures[name] = figures.get(name, 0) + value


def _tracebacks(log: str) -> str:
    """Return each kind of traceback once, with how often it is there: without the line that it began with."""
    kinds: Counter[str] = Counter()
    for part in log.split("Traceback (most recent call last):\n")[1:]:
        lines = part.splitlines()
        last = next(
            (number for number, line in enumerate(lines) if line[:1] not in (" ", "")), len(lines) - 1
        )
        kinds["\n".join(lines[max(0, last - 12) : last + 1])] += 1
    return "\n".join(f"--- {count} times:\n{kind}" for kind, count in kinds.most_common(5))


def _round(stage: Stage, count: int, seed: int) -> dict[str, Any]:
    # Most say nothing, and are the operator of this machine: they get furthest.
    callers: list[Mapping[str, str]] = [{}] * 8 + [{"authorization": "Bearer nonsense"}]
    calls = asyncio.run(fuzz_calls(stage.server, DESCRIPTORS, count=count // 2, seed=seed, callers=callers))
    requests = asyncio.run(
        fuzz_requests(stage.http_port, PATHS, count=count - count // 2, seed=seed, callers=callers)
    )
    alarming = [*calls.alarming, *requests.alarming]
    if alarming:
        raise HarnessFailed(
            f"{len(alarming)} requests took the daemon by surprise:\n" + "\n".join(alarming[:20])
        )
    return {
        "calls": calls.calls,
        "call_statuses": dict(calls.statuses.most_common()),
        "requests": requests.requests,
        "request_statuses": dict(requests.statuses.most_common()),
    }


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--inputs",
    type=click.IntRange(min=100),
    default=200_000,
    show_default=True,
    help="Requests, of both doors.",
)
@click.option(
    "--parsers",
    is_flag=False,
    flag_value=EACH,
    metavar="[NAME]",
    help="Instead: what reads bytes of strangers, one parser or each, guided by which branches inputs reach.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), default=200_000, show_default=True, help="Inputs of each parser."
)
@click.option(
    "--openapi",
    is_flag=True,
    help="Instead: ask for what the OpenAPI document describes, 1000 times each operation, and compare.",
)
@click.option(
    "--datagrams",
    type=click.IntRange(min=1),
    help="Instead: so many malformed datagrams of flows, to one reader that keeps its state.",
)
@click.option("--seed", type=int, default=None, help="Begin with this number, as an earlier run told it.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def main(
    inputs: int,
    parsers: str | None,
    runs: int,
    openapi: bool,
    datagrams: int | None,
    seed: int | None,
    as_json: bool,
    keep: bool,
) -> None:
    """Send malformed requests to a daemon with lab routers and PostgreSQL, on this machine.

    Well-formed requests with values that make no sense, requests that were good and
    were broken, and noise: to every method of the gRPC door, and to the paths of the
    HTTP door. None may be answered by a fault of the daemon's own (INTERNAL, UNKNOWN,
    500), none may make it log a traceback, and it may not grow without bound. Exits
    with 1 where that isn't so, and tells the seeds: --seed N --inputs 100 does it again.

    Parsers are fuzzed by atheris, each in a process of its own, and may refuse an
    input only by the errors that they are known for: see mtd/testing/fuzz/parsers.py.
    Datagrams of flows (--datagrams 1000000) go to one reader, one after the other: none may
    be raised, each of them and of their records is accounted for, and it may not grow.
    """
    console = Console(stderr=True)
    begin = seed if seed is not None else int.from_bytes(os.urandom(4)) & 0x7FFFFFFF
    if openapi:
        sys.exit(_hold_against_document())
    if datagrams is not None:
        _fuzz_flows(console, datagrams, seed=begin, as_json=as_json)
        return
    if parsers is not None:
        _fuzz_parsers(console, parsers, runs=runs, seed=begin, as_json=as_json, keep=keep)
        return
    settings = {"grpc": {"max_streams": 64}, "database.embedded": {"durable": False, "shared_buffers_mb": 64}}
    with folder(console, keep=keep) as place, console.status("starting") as status:
        stage = Stage(place, settings=settings)
        with stage:
            lab = stage.start_lab(*_ROUTERS)
            stage.start_daemon()
            stage.add_devices(lab["endpoints"])
            figures = {"seed": begin} | fuzz(stage, inputs, begin, status.update)
    show(console, figures, as_json=as_json)


def _fuzz_parsers(console: Console, wanted: str, *, runs: int, seed: int, as_json: bool, keep: bool) -> None:
    from mtd.testing.fuzz.coverage import fuzz_parsers, names_of

    names = names_of(wanted)
    with folder(console, keep=keep) as place, console.status("parsers"):
        figures = fuzz_parsers(names, runs=runs, seed=seed, folder=place, most_s=_LONGEST_PARSER_S)
    show(console, {"seed": seed, "parsers": figures}, as_json=as_json)


def _fuzz_flows(console: Console, count: int, *, seed: int, as_json: bool) -> None:
    from mtd.testing.fuzz.flows import fuzz_flows

    with folder(console, keep=False), console.status("flows") as status:
        figures = {"seed": seed} | fuzz_flows(count, seed, status.update)
    show(console, figures, as_json=as_json)


def _hold_against_document() -> int:
    """Run the test that does it, with more examples."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--timeout=3600", "tests/e2e/test_openapi.py"],
        env={**os.environ, "MTD_FUZZ_EXAMPLES": str(_EXAMPLES)},
        check=False,
    ).returncode


if __name__ == "__main__":
    main()
