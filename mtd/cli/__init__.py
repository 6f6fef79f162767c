"""The command line. No logic: it reads arguments, calls the layers below, prints.

Commands are imported when they are used, so that ``mtd watch`` needs no more
than the client, and a missing extra is told in words.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

import click

from mtd import __version__

_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "run": "mtd.cli.run:run",
        "check": "mtd.cli.config:check",
        "config": "mtd.cli.config:config",
        "migrate": "mtd.cli.run:migrate",
        "rebuild": "mtd.cli.rebuild:rebuild",
        "lab": "mtd.cli.lab:lab",
        "device": "mtd.cli.device:device",
        "site": "mtd.cli.place:site",
        "group": "mtd.cli.place:group",
        "credentials": "mtd.cli.credentials:credentials",
        "secrets": "mtd.cli.secrets:secrets",
        "cost": "mtd.cli.cost:cost",
        "discovery": "mtd.cli.discovery:discovery",
        "tenant": "mtd.cli.tenants:tenant",
        "user": "mtd.cli.users:user",
        "token": "mtd.cli.tokens:token",
        "ingest-key": "mtd.cli.ingest_keys:ingest_key",
        "whoami": "mtd.cli.users:whoami",
        "collector": "mtd.cli.collector:collector",
        "enroll": "mtd.cli.enroll:enroll",
        "ca": "mtd.cli.ca:ca",
        "watch": "mtd.cli.watch:watch",
        "query": "mtd.cli.query:query",
        "export": "mtd.cli.export:export",
        "table": "mtd.cli.table:table",
        "snapshots": "mtd.cli.snapshots:snapshots",
        "pseudonym": "mtd.cli.pseudonym:pseudonym",
        "events": "mtd.cli.watch:events",
        "syslog": "mtd.cli.syslog:syslog",
        "flows": "mtd.cli.flows:flows",
        "poll": "mtd.cli.poll:poll",
        "ping": "mtd.cli.tools:ping",
        "traceroute": "mtd.cli.tools:traceroute",
        "torch": "mtd.cli.tools:torch",
        "sniff": "mtd.cli.tools:sniff",
        "bandwidth-test": "mtd.cli.tools:bandwidth_test",
        "runs": "mtd.cli.runs:runs",
        "audit": "mtd.cli.audit:audit",
        "doctor": "mtd.cli.doctor:doctor",
        "plugins": "mtd.cli.plugins:plugins",
        "catalogue": "mtd.cli.plugins:catalogue",
        "log": "mtd.cli.log:log",
        "backfill": "mtd.cli.backfill:backfill",
        "size": "mtd.cli.size:size",
        "slo": "mtd.cli.slo:slo",
        "storage": "mtd.cli.storage:storage",
    }
)


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = _COMMANDS.get(cmd_name)
        if target is None:
            return None
        module_name, attribute = target.split(":")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("mtd"):
                raise
            raise click.ClickException(
                f"`mtd {cmd_name}` needs the package {error.name!r}. Install mtd with its extras: "
                "pip install 'mtd[daemon,lab]'"
            ) from None
        command = getattr(module, attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="mtd")
def main() -> None:
    """Monitoring for MikroTik RouterOS, for ISPs.

    \b
    Try it without any router:      mtd lab          (simulated routers)
    Look at one router right now:   mtd poll HOST    (no database needed)
    Run the monitoring:             mtd run --config etc/mtd.toml
    Add a router to it:             mtd device add NAME HOST --user monitor
    See live values:                mtd watch
    """
