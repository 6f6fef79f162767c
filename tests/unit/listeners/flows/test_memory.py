"""Templates on a disk that takes none: nothing ends, it is counted and said, and they are written once there is room."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtd.codec.flows import Field, Learned, Template
from mtd.listeners.flows import memory as module
from mtd.listeners.flows.memory import Memory, path_of, read_learned, write_learned

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


def test_of_two_files_what_was_heard_last_counts_by_domain_whichever_was_written_last(tmp_path: Path) -> None:
    def told(layouts: dict[int, tuple[int, int]], version: int = 9) -> list[Learned]:
        return [
            Learned(domain, (Template(256, (Field(1, 4),) * fields),), version=version, heard_us=heard_us)
            for domain, (fields, heard_us) in layouts.items()
        ]

    write_learned(path_of(tmp_path, 1), {A: told({0: (2, 2000), 1: (1, 500)}), B: told({0: (7, 10)})})
    write_learned(path_of(tmp_path, 0), {A: told({0: (1, 1000), 1: (3, 1000)}) + told({0: (5, 1)}, 10)})
    os.utime(path_of(tmp_path, 1), (1, 1))
    found = read_learned(tmp_path)
    assert found == {
        A: told({0: (2, 2000), 1: (3, 1000)}) + told({0: (5, 1)}, 10),
        B: told({0: (7, 10)}),
    }
    assert [one.heard_us for one in found[A]] == [2000, 1000, 1], "the next file says the same"


def test_who_was_heard_again_with_nothing_new_is_not_written(tmp_path: Path) -> None:
    memory = Memory(tmp_path, 0)
    memory.keep({A: [Learned(0, (), heard_us=1)]})
    memory.keep({A: [Learned(0, (), heard_us=2)]})
    assert read_learned(tmp_path)[A][0].heard_us == 1


def test_ports_and_versions_are_kept(tmp_path: Path) -> None:
    templates = tuple(Template(256, (Field(1, length),)) for length in (4, 8))
    told = {A: [Learned(3, templates, 10, {1: 2}, 5, 10, (2055, 40_000), 7)]}
    write_learned(path_of(tmp_path, 0), told)
    assert read_learned(tmp_path) == told
    assert [tuple(one) for one in read_learned(tmp_path)[A][0].lessons()] == list(
        zip(templates, (2055, 40_000), strict=True)
    )


@pytest.mark.parametrize(("booted_ms", "versions"), [(0, [9, 10]), (1_699_999_900_000, [9])])
def test_a_file_of_before_versions_were_told_apart_is_read(
    booted_ms: int, versions: list[int], tmp_path: Path
) -> None:
    domain = {"domain": 4, "sampling": 2, "booted_ms": booted_ms, "samplers": [[1, 10]], "templates": [[256, 0, [[1, 4, 0]]]]}  # fmt: skip
    path_of(tmp_path, 0).write_text(json.dumps({"version": 1, "exporters": {A: [domain]}}))
    os.utime(path_of(tmp_path, 0), (50, 50))
    found = read_learned(tmp_path)
    assert found == {
        A: [
            Learned(4, (Template(256, (Field(1, 4),)),), 2, {1: 10}, booted_ms, version)
            for version in versions
        ]
    }
    assert {one.heard_us for one in found[A]} == {50_000_000}
