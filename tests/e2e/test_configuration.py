"""What an operator can get wrong before anything runs: said at once, with the place and what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kit import Answer, Rig, folder, run

BAD = """\
[daemon]
data_dir = "{data}"
drain_timeout_s = -1

[scheduler]
max_connecting = "many"
polling = true

[scheduler.intervals_s]
t0 = 0

[grpc]
port = 70000

[nonsense]
x = 1
"""


@pytest.fixture
def place() -> Iterator[Path]:
    with folder() as path:
        yield path


def refused(*arguments: str) -> Answer:
    """Run a command that must end with code 1 and a message; `run` sees to it that there is no traceback."""
    answer = run("-m", "mtd", *arguments, code=1, timeout_s=60)
    assert answer.err.strip()
    return answer


def test_every_error_is_told_at_once(place: Path) -> None:
    path = place / "mtd.toml"
    path.write_text(BAD.format(data=place / "data"))
    expected = {
        3: "daemon.drain_timeout_s",
        6: "scheduler.max_connecting",
        7: "scheduler.polling",
        10: "scheduler.intervals_s.t0",
        13: "grpc.port",
        15: "nonsense",
    }
    for command in ("check", "run"):
        told = refused(command, "--config", str(path)).err
        for line, key in expected.items():
            assert f"{path}:{line}: {key}: " in told, f"{command} says nothing of {key}"
    assert "known here: " in told
    report = run("-m", "mtd", "check", "--json", "--config", str(path), code=1).json()
    assert report["ok"] is False
    assert len(report["problems"]) == len(expected)
    assert not (place / "data").exists(), "nothing was made for a configuration that can't be used"


def test_a_value_from_the_environment_is_named_by_its_variable(place: Path) -> None:
    answer = run("-m", "mtd", "check", code=1, environment={"MTD__GRPC__PORT": "none"})
    assert "MTD__GRPC__PORT: grpc.port: " in answer.err


@pytest.mark.parametrize(
    ("text", "says"),
    [("[grpc\nport = 1\n", ":1: isn't TOML"), ("port = \xe9", "isn't UTF-8"), (None, "can't be read")],
)
def test_a_file_that_is_none(place: Path, text: str | None, says: str) -> None:
    path = place / "mtd.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    for command in ("check", "run", "migrate"):
        assert says in refused(command, "--config", str(path)).err


def test_a_good_configuration_is_called_good(place: Path) -> None:
    rig = Rig(place)
    rig.write_config()
    assert rig.mtd("check", "--json").json() == {"ok": True, "problems": []}
    assert rig.mtd("config", "dump").json()["grpc"]["port"] == rig.grpc_port
    assert not rig.data_dir.exists()


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_a_port_in_use(place: Path, door: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        rig = Rig(place)
        setattr(rig, f"{door}_port", other.getsockname()[1])
        rig.write_config()
        told = refused("run", "--config", str(rig.config_path)).err
    assert str(getattr(rig, f"{door}_port")) in told
    assert "mtd can't start" in told
    assert f"{door}.port" in told
    assert not running_postgres(place), "what was started before is stopped"


def running_postgres(place: Path) -> list[str]:
    return [
        command
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and str(place) in (command := command_line(entry))
    ]


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""  # it ended


def test_a_master_key_that_others_can_read(place: Path) -> None:
    rig = Rig(place)
    rig.data_dir.mkdir()
    key = rig.data_dir / "master.key"
    key.write_text("A" * 43 + "=\n")
    key.chmod(0o644)
    rig.write_config()
    told = refused("run", "--config", str(rig.config_path)).err
    assert f"run `chmod 600 {key}`" in told


def test_a_master_key_that_is_none(place: Path) -> None:
    rig = Rig(place)
    rig.data_dir.mkdir()
    key = rig.data_dir / "master.key"
    key.write_text("secret\n")
    key.chmod(0o600)
    rig.write_config()
    told = refused("run", "--config", str(rig.config_path)).err
    assert "base64" in told
    assert "secret" not in told


def test_a_data_folder_that_cannot_be_used(place: Path) -> None:
    rig = Rig(place)
    rig.data_dir.write_text("a file in its place")
    rig.write_config()
    told = refused("run", "--config", str(rig.config_path)).err
    assert str(rig.data_dir) in told
    assert "daemon.data_dir" in told


def test_a_database_that_cannot_be_named_so(place: Path) -> None:
    rig = Rig(place, settings={"database": {"dsn": "host=/nonexistent dbname=mtd user=x bogus=1"}})
    rig.write_config()
    told = refused("run", "--config", str(rig.config_path)).err
    assert "database.dsn" in told


def test_a_log_that_is_no_log(place: Path) -> None:
    rig = Rig(place)
    rig.data_dir.mkdir()
    (rig.data_dir / "events.db").write_text("not a database, but a letter to a friend" * 20)
    rig.write_config()
    for command in (("log", "verify"), ("log", "stats")):
        told = refused(*command, "--config", str(rig.config_path)).err
        assert "events.db is not an event log" in told


def test_a_daemon_that_is_not_there() -> None:
    for command in (("device", "list"), ("device", "test", "x"), ("query", "x", "y")):
        told = refused(*command, "--server", "127.0.0.1:9").err
        assert "127.0.0.1:9" in told
