"""``mtd check`` says no to what the daemon would refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Commands


def config(tmp_path: Path, text: str = "") -> str:
    path = tmp_path / "mtd.toml"
    path.write_text(f'[daemon]\ndata_dir = "{tmp_path / "data"}"\n{text}')
    return str(path)


def test_a_good_configuration(mtd: Commands, tmp_path: Path) -> None:
    assert "is good" in mtd("check", "-c", config(tmp_path)).output
    assert json.loads(mtd("check", "--json", "-c", config(tmp_path)).output) == {"ok": True, "problems": []}
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[grpc]\nhost = "0.0.0.0"\n', "4: grpc.host"),
        ('[http]\nhost = "::"\n', "4: http.host"),
        (
            '[database]\ndsn_file = "/nonexistent/dsn"\n',
            "4: database.dsn_file: value error, the file can't be read",
        ),
        (
            '[grpc.tls]\nmode = "files"\ncertificate_file = "/nonexistent/door.pem"\nkey_file = "/nonexistent/door.key"\n',
            "grpc.tls: /nonexistent/door.pem can't be read",
        ),
        ('[http]\ntls = "files"\n', "4: http.tls: value error, mode is"),
        ('[database]\ndsn_file = "/dev/null"\n', "the file is empty"),
        ('[database]\ndsn = "pgsql//u:TOPSECRET@h/db"\n', "database.dsn isn't a connection string"),
        (
            '[database]\ndsn = "host=h password=TOPSECRET"\ndsn_file = "/etc/hostname"\n',
            "set dsn or dsn_file",
        ),
    ],
)
def test_what_the_daemon_would_refuse(mtd: Commands, tmp_path: Path, text: str, told: str) -> None:
    path = config(tmp_path, text)
    output = mtd("check", "-c", path, code=1).output
    assert told in output
    assert "TOPSECRET" not in output
    answer = json.loads(mtd("check", "--json", "-c", path, code=1).output)
    assert answer["ok"] is False
    assert len(answer["problems"]) == 1


@pytest.mark.parametrize(("content", "mode"), [("secret\n", 0o600), ("", 0o600), ("A" * 43 + "=\n", 0o644)])
def test_a_master_key_that_can_not_be_used(mtd: Commands, tmp_path: Path, content: str, mode: int) -> None:
    key = tmp_path / "data" / "master.key"
    key.parent.mkdir()
    key.write_text(content)
    key.chmod(mode)
    output = mtd("check", "-c", config(tmp_path), code=1).output
    assert f"{key}: security.master_key_file" in output
    assert "secret" not in output.replace("secret/", "")


def test_a_master_key_that_is_good_stays_as_it_is(mtd: Commands, tmp_path: Path) -> None:
    key = tmp_path / "data" / "master.key"
    key.parent.mkdir()
    key.write_text("A" * 43 + "=\n")
    key.chmod(0o600)
    mtd("check", "-c", config(tmp_path))
    assert list(key.parent.iterdir()) == [key]


def test_a_data_folder_that_is_a_file(mtd: Commands, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "daemon.data_dir" in mtd("check", "-c", config(tmp_path), code=1).output


def test_variables_and_file_are_told_together(mtd: Commands, tmp_path: Path) -> None:
    path = config(tmp_path, "[grpc]\nport = 70000\n")
    output = mtd("check", "-c", path, code=1, MTD__GRPC="1", MTD__LOG__LEVEL="loud").output
    for key in ("MTD__GRPC: grpc", "MTD__LOG__LEVEL: log.level", f"{path}:4: grpc.port"):
        assert key in output
    assert "3 problem(s)" in output


def test_dump_is_json_and_holds_no_secret(mtd: Commands, tmp_path: Path) -> None:
    path = config(tmp_path, '[database]\ndsn = "host=h password=TOPSECRET"\n')
    for arguments in ((), ("--json",)):
        output = mtd("config", "dump", *arguments, "-c", path).output
        assert json.loads(output)["grpc"]["host"] == "127.0.0.1"
        assert "TOPSECRET" not in output
