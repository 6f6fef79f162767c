"""Every command explains itself, and speaks JSON where it says so."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Iterator

import click
import numpy as np
import pytest
from click.testing import CliRunner

from mtd.cli import main
from mtd.client import credential_sets, places
from mtd.codec.flows.block import encode_block
from mtd.codec.flows.columns import of_ipv4
from mtd.testing.harness import free_port
from tests.e2e.kit import Rig, rig


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each command below with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


ALL = dict(commands(main))
# With what each command that has --json is called; commands that change things are in other modules.
CALLS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("check",): (),
    ("config", "dump"): (),
    ("migrate",): (),
    ("slo",): (),
    ("audit", "list"): (),
    ("audit", "export"): (),
    ("audit", "verify"): (),
    ("lab",): ("--list",),
    ("device", "add"): ("added", "127.0.0.1", "--user", "x", "--password", "y", "--label", "site=here"),
    ("device", "list"): (),
    ("device", "show"): ("lab-0001",),
    ("device", "set"): ("lab-0001", "notes=hello"),
    ("device", "test"): ("lab-0001",),
    ("device", "refresh"): ("lab-0001",),
    ("device", "poll"): (
        "lab-0002",
        "--tier",
        "t0",
    ),  # not the one that is changed: it has another session then
    ("device", "import"): ("--dry-run", "FILE"),
    ("device", "capabilities"): ("lab-0001",),
    ("device", "export"): (),
    ("device", "interfaces"): ("lab-0001",),
    ("device", "pin"): ("lab-0001", "ether1"),
    ("device", "pins"): ("lab-0001",),
    ("device", "unpin"): ("lab-0001", "ether1"),
    ("device", "remove"): ("added",),
    ("site", "add"): ("graz", "address=Schlossberg 1", "label:region=south"),
    ("site", "list"): (),
    ("site", "set"): ("graz", "notes=hello"),
    ("site", "remove"): ("gone",),
    ("group", "add"): ("core", "notes=backbone"),
    ("group", "list"): (),
    ("group", "set"): ("core", "label:owner=noc"),
    ("group", "remove"): ("gone",),
    ("credentials", "add"): ("noc", "readonly", "username=x", "password=y"),
    ("credentials", "list"): (),
    ("credentials", "set"): ("noc", "notes=hello"),
    ("credentials", "show"): ("noc",),
    ("credentials", "remove"): ("gone",),
    ("secrets", "check"): (),
    ("secrets", "rotate"): (),
    ("secrets", "status"): (),
    ("discovery", "list"): ("--all",),
    ("discovery", "neighbors"): ("lab-0001",),
    ("ping",): ("lab-0001", "192.0.2.1", "--count", "2", "--interval", "10"),
    ("traceroute",): ("lab-0001", "192.0.2.1", "--count", "1"),
    ("torch",): ("lab-0001", "ether1", "--seconds", "1"),
    ("sniff",): ("lab-0001", "ether1", "--seconds", "1"),
    ("bandwidth-test",): ("lab-0001", "192.0.2.1", "--seconds", "1"),
    ("runs",): ("lab-0001",),
    ("tenant", "list"): (),
    ("tenant", "show"): ("default",),
    ("user", "list"): ("--super-admin",),
    ("token", "list"): ("--all",),
    ("ingest-key", "list"): ("--all",),
    ("whoami",): (),
    ("collector", "list"): (),
    ("collector", "show"): ("COLLECTOR",),
    ("collector", "devices"): (),
    ("collector", "drain"): ("COLLECTOR",),
    ("collector", "undrain"): ("COLLECTOR",),
    ("collector", "pin"): ("COLLECTOR", "lab-0001"),
    ("collector", "sites"): ("COLLECTOR",),
    ("collector", "canary"): ("COLLECTOR", "--off"),
    ("collector", "weight"): ("COLLECTOR", "2"),
    ("collector", "redundancy"): ("0", "--device", "lab-0001"),
    ("ca", "list"): ("--revoked",),
    ("watch",): ("--seconds", "1.5"),
    ("query",): ("lab-0001", "system.*", "--last", "5m"),
    ("events",): (),
    ("poll",): ("127.0.0.1", "--port", "PORT", "--user", "mtd", "--password", "lab-password", "--count", "1"),
    ("plugins", "list"): (),
    ("catalogue",): (),
    ("log", "stats"): (),
    ("log", "verify"): ("--database",),
    ("size",): ("--routers", "3"),
    ("table",): ("lab-0001",),
    ("cost",): (),
    ("pseudonym",): ("joe@isp.example",),
    ("snapshots",): ("lab-0001",),
    ("syslog", "list"): (),
    ("syslog", "rules"): (),
    ("flows", "top"): (),
    ("flows", "series"): ("protocol",),
    ("flows", "search"): ("198.51.100.7", "--at", "NOW", "--window", "1h"),
    ("flows", "interfaces"): (),
    ("storage", "compact"): (),
    ("storage", "status"): (),
    ("backfill",): ("--generate", "1", "--interfaces", "2", "--days", "1"),
}
# Done once, these can't be done again.
ONCE = {
    *((kind, name) for kind in ("site", "group") for name in ("add", "remove")),
    ("credentials", "add"),
    ("credentials", "remove"),
    ("device", "add"),
    ("device", "poll"),  # for some seconds
    ("device", "remove"),
    ("device", "unpin"),
    ("backfill",),
}
# Of a daemon that is stopped: see the tests of crashes. Of what is found: see test_finding. Of tenants, users and
# tokens: see tests/integration/app/test_identity_commands. Of what is wrong: see test_audit.
ELSEWHERE = {
    ("rebuild",),
    ("doctor",),
    ("audit", "accept"),
    *(("discovery", name) for name in ("scan", "adopt", "ignore", "restore")),
    *(("tenant", name) for name in ("add", "set")),
    *(("user", name) for name in ("add", "set", "remove", "password")),
    *(("token", name) for name in ("add", "rotate", "revoke")),
    *(("ingest-key", name) for name in ("add", "rotate", "revoke")),
    # Of a hub with TLS: see tests/integration/certificates/test_commands.
    *(("collector", name) for name in ("invite", "disable", "enable", "revoke", "serve")),
    # Of a collector that is away: see tests/integration/app/test_polling.
    ("collector", "release"),
    # Of a collector itself: see test_edges.
    ("collector", "status"),
    *(("ca", name) for name in ("init", "rotate", "show", "issue", "revoke")),
    ("enroll",),
}
# Of 198.51.100.7, just now.
A_FLOW = """
WITH stored AS (
    INSERT INTO flow_block (tenant_id, device_id, log_id, seq, ts, first_ts, last_ts, exporter, form, sampling, records, octets,
                            packets, estimated_octets, estimated_packets, block)
    SELECT tenant_id, device_id, device_id, 1, now(), date_trunc('minute', now()), now() + interval '1 minute', '127.0.0.1', 3,
           1, 1, 0, 0, 0, 0, %s FROM device WHERE name = 'lab-0001'
    RETURNING tenant_id, device_id, ts
)
INSERT INTO flow_due (tenant_id, device_id, bucket_s, bucket)
SELECT tenant_id, device_id, 60, date_trunc('minute', ts) FROM stored
"""
ALWAYS_JSON = {("config", "dump"), ("audit", "export")}


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    port = free_port()
    settings = {"syslog": {"enabled": True, "host": "127.0.0.1", "udp_port": port, "flush_s": 0.1}}
    lab = ("--routers", "2", "--interfaces", "4", "--syslog", f"127.0.0.1:{port}")
    with rig("fleet", *lab, settings=settings) as stage:
        stage.add_all()
        with stage.client() as client:
            client.ask(credential_sets.create_set("gone", "readonly"))
            client.ask(places.create_site("gone"))
            client.ask(places.create_group("gone"))
        flow = {
            "src_address": of_ipv4(np.array([0xC6336407], np.uint32)),
            "in_interface": np.ones(1, np.uint32),
        }
        stage.sql(A_FLOW, encode_block(flow))
        (stage.folder / "devices.csv").write_text("name,host,username,password\nx,127.0.0.1,u,p\n")
        yield stage


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(path) or "mtd")
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    command = ALL[path]
    assert command.help
    assert len(command.help) > 20
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, f"{option.name} has no help"


def with_json() -> list[tuple[str, ...]]:
    found = [
        path for path, command in ALL.items() if any("--json" in option.opts for option in command.params)
    ]
    return [path for path in found if path not in ELSEWHERE]


@pytest.mark.parametrize("path", with_json(), ids=" ".join)
def test_json_is_json(running: Rig, path: tuple[str, ...]) -> None:
    stand_ins = {
        "FILE": str(running.folder / "devices.csv"),
        "PORT": str(running.routers["lab-0001"]["port"]),
        "COLLECTOR": socket.gethostname(),  # whose daemon polls
        "NOW": dt.datetime.now(dt.UTC).isoformat(),
    }
    arguments = [stand_ins.get(word, word) for word in CALLS[path]]
    answer = running.mtd(*path, *arguments, "--json")
    assert answer.lines(), "nothing was printed"
    # And the same for people, without an error.
    if path not in ONCE:
        spoken = running.mtd(*path, *arguments)
        assert spoken.out.strip()
        assert spoken.out != answer.out or path in ALWAYS_JSON


def test_an_export_holds_what_is_stored(running: Rig) -> None:
    answer = running.mtd("export", "-d", "lab-*", "-m", "system.uptime_seconds", "--last", "5m")
    head, *rows = answer.out.splitlines()
    assert head.startswith("time,device,key,")
    assert {row.split(",")[1] for row in rows} == {"lab-0001", "lab-0002"}
    assert f"{len(rows):,} rows of 2 devices" in answer.err
