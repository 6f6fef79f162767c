"""``mtd lab`` as a process."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from mtd.cli.lab import lab
from mtd.lab.world import World
from tests.integration.lab.raw import RawClient, eventually


def test_it_writes_its_state_serves_and_ends_cleanly_at_ctrl_c(tmp_path: Path) -> None:
    state_file = tmp_path / "state.json"
    command = [
        sys.executable,
        "-m",
        "mtd.lab",
        "-n",
        "2",
        "-i",
        "5",
        "--json",
        "--state-file",
        str(state_file),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            eventually(state_file.exists, 20)
            state = json.loads(state_file.read_text())
            world = World.from_state_file(state_file)
            endpoint = state["endpoints"][1]
            with RawClient(_Endpoint(endpoint)) as client:
                found = client.ask("/interface/print", "=.proplist=.id,rx-byte")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
        finally:
            process.kill()
    values = {words[1][5:].decode(): {"rx-byte": int(words[2][9:])} for words in found[:-1]}
    assert world.router(endpoint["name"]).match(values, 0, world.clock.now_tick()) is not None
    assert process.returncode == 0, err.decode()
    first, last = out.decode().splitlines()
    assert json.loads(first) == state
    assert json.loads(last)["stats"][endpoint["name"]]["answers"] == 1


class _Endpoint:
    def __init__(self, fields: dict[str, object]) -> None:
        self.__dict__.update(fields)


def test_it_lists_what_it_can_do() -> None:
    result = CliRunner().invoke(lab, ["--list", "--json"])
    assert result.exit_code == 0
    assert "steady" in json.loads(result.output)


def test_mistakes_are_explained_without_a_traceback() -> None:
    result = CliRunner().invoke(lab, ["--scenario", "nothing"])
    assert result.exit_code == 1
    assert "no scenario 'nothing'" in result.output


def test_the_table_shows_where_to_connect() -> None:
    command = [sys.executable, "-m", "mtd.lab", "-n", "25", "-i", "3", "--seconds", "0.1"]
    result = subprocess.run(command, capture_output=True, timeout=30, check=True, text=True)
    assert "lab-0001" in result.stdout
    assert "5 more" in result.stdout
    assert "Lab stopped" in result.stdout
