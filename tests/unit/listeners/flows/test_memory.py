"""Templates on a disk that takes none: nothing ends, it is counted and said, and they are written once there is room."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtd.codec.flows import Field, Learned, Template
from mtd.listeners.flows import memory as module
from mtd.listeners.flows.memory import Memory, path_of, read_learned

A, B = "192.0.2.1", "192.0.2.2"


def learned(fields: int) -> dict[str, list[Learned]]:
    return {A: [Learned(0, (Template(256, (Field(1, 4),) * fields),))]}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 KiB."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("only root may mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], capture_output=True, check=False)


def test_on_a_full_disk_the_old_file_stays_and_the_new_one_is_written_once_there_is_room(
    small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Memory(small, 0)
    memory.keep(learned(1))
    ballast = small / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(1024 * 1024))
    for _ in range(3):
        memory.keep(learned(200))
    assert memory.failures == 3
    assert "No space left" in memory.trouble
    assert caplog.text.count("can't be kept") == 1, "said once in a while"
    assert read_learned(small) == learned(1)
    assert sorted(one.name for one in small.iterdir()) == ["ballast", path_of(small, 0).name], "no half file"
    ballast.unlink()
    memory.keep(learned(200))
    assert read_learned(small) == learned(200)
    assert (memory.failures, memory.trouble) == (3, "")
    assert "are kept in" in caplog.text


def test_a_disk_that_is_full_when_it_is_written(tmp_path: Path) -> None:
    fresh = path_of(tmp_path, 0).with_suffix(".new")
    fresh.symlink_to("/dev/full")
    memory = Memory(tmp_path, 0)
    memory.keep(learned(1))
    assert memory.failures == 1
    assert "No space left" in memory.trouble
    memory.keep(learned(1))
    assert read_learned(tmp_path) == learned(1)


@pytest.mark.parametrize("kind", [errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_may_not_or_can_not_be_written(
    kind: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(kind, os.strerror(kind))

    memory = Memory(tmp_path, 0)
    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", fails)
        memory.keep(learned(1))
    assert os.strerror(kind) in memory.trouble
    memory.keep(learned(1))
    assert (memory.trouble, read_learned(tmp_path)) == ("", learned(1))


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    memory = Memory(folder, 0)
    memory.keep(learned(1))
    assert "No such file" in memory.trouble
    folder.mkdir()
    memory.keep(learned(1))
    assert (memory.trouble, read_learned(folder)) == ("", learned(1))


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path, 0)
    memory.keep(learned(1))
    path_of(tmp_path, 0).unlink()
    memory.keep(learned(1))
    assert not path_of(tmp_path, 0).exists()
