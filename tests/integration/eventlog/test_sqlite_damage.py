"""A disk that spoils the log's files: found, set aside, told; the rest is served, and no position is given twice."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtd.core.errors import Misconfigured
from mtd.eventlog.errors import SourceStored
from mtd.eventlog.interfaces import Damage, Source
from mtd.eventlog.sqlite import SqliteEventLog, verify_file
from mtd.eventlog.sqlite.mark import RESERVED_AT_ONCE, mark_path, read_mark
from mtd.eventlog.sqlite.salvage import salvage
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run
from tests.integration.eventlog.helpers import FILE, make_log, read_all

BATCHES, SIZE, PADDING = 25, 5, 6000
LAST = BATCHES * SIZE
PAGE_OF_BATCHES = 2


@dataclass(frozen=True)
class Original:
    """A log as a kill left it, to be copied and damaged."""

    folder: Path
    log_id: str

    def copy(self, folder: Path) -> Path:
        target = folder / FILE
        target.parent.mkdir(parents=True)
        for file in (self.folder / FILE).parent.iterdir():
            if not file.name.endswith(("-shm", ".lock")):
                shutil.copy(file, target.parent / file.name)
        return target


def killed(folder: Path, **changes: float) -> Original:
    """Fill a log, and copy its files from under it, as a kill leaves them."""

    async def main() -> str:
        log = make_log(folder / "running", **changes)
        await log.start()
        for number in range(BATCHES):
            events = make_events(number * SIZE + 1, SIZE, padding=PADDING)
            await log.append(events, b"batch %d" % number)
        log.pin("projection", 7)
        assert log._writer is not None
        log._writer.call(log._keeper.maintain)
        await log.stored_from("nobody")  # behind that in the same thread
        await log.append(make_events(LAST + 1, SIZE), b"the last, which may be torn")
        await log.stored_from("nobody")  # no checkpoint is under way any more
        Original(folder / "running", log.log_id).copy(folder / "killed")
        await log.stop()
        return log.log_id

    return Original(folder / "killed", run(main()))


@pytest.fixture(scope="module", params=["in the write-ahead file", "in both", "in the database"])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A log of which all is in one file, or some in each."""
    checkpoint_bytes = {"in the write-ahead file": 1e9, "in both": 400_000, "in the database": 4096}
    return killed(tmp_path_factory.mktemp("log"), checkpoint_bytes=checkpoint_bytes[request.param])


async def opened(folder: Path) -> tuple[dict[int, int], list[Damage], int, SqliteEventLog]:
    """Open a log: what it serves by position, what is set aside, where the next event went."""
    log = make_log(folder)
    await log.start()
    batches = await read_all(log)
    served = {seq: event.collected_at_us for batch in batches for seq, event in batch.numbered()}
    appended = await log.append(make_events(9999, 1))
    report = await log.verify()
    assert report.ok, report.problems
    return served, list(report.set_aside), appended.first_seq, log


def check_damaged(original: Original, folder: Path, harm: Callable[[Path], None]) -> int:
    """Damage a copy, and open it. Return how many positions are lost."""
    path = original.copy(folder)
    harm(path)

    async def main() -> int:
        served, aside, following, log = await opened(folder)
        assert log.log_id == original.log_id
        # Under each position the event that was always there, or none.
        assert all(seq == number for seq, number in served.items() if seq < following)
        lost = set(range(1, LAST + SIZE + 1)) - set(served)
        told = {seq for one in aside for seq in range(one.first_seq, min(one.last_seq, LAST + SIZE) + 1)}
        assert {seq for seq in lost if seq <= LAST} == {seq for seq in told if seq <= LAST}
        assert following > LAST
        if aside:
            async with asyncio.timeout(10):
                assert list(await log.untold_damage()) == aside
            await log.damage_told(aside)
        await log.stop()
        return len(told)

    lost = run(main())
    # And again: what was damaged is damaged no more, and told already.
    log = make_log(folder)

    async def again() -> None:
        await log.start()
        waiting = asyncio.ensure_future(log.untold_damage())
        assert numbers(await read_all(log))[-1] == 9999
        await log.append(make_events(10_000, 1))
        assert not waiting.done()
        waiting.cancel()
        await log.stop()

    run(again())
    return lost


def flip(name: str, share: float, bit: int) -> Callable[[Path], None]:
    """Return what flips a bit at a share of a file's length."""

    def harm(path: Path) -> None:
        file = path.with_name(path.name + name)
        if not file.exists() or not file.stat().st_size:
            file = path
        content = bytearray(file.read_bytes())
        content[min(int(len(content) * share), len(content) - 1)] ^= 1 << bit
        file.write_bytes(content)

    return harm


def test_a_bit_that_flips_costs_a_batch_at_the_most(original: Original, tmp_path: Path) -> None:
    """Wherever it is, all else is served; two, where a page of the tree has the beginnings of several."""
    dice = random.Random(7)
    for number in range(6):
        harm = flip(dice.choice(["", "-wal"]), dice.random(), dice.randrange(8))
        lost = check_damaged(original, tmp_path / str(number), harm)
        assert lost <= PAGE_OF_BATCHES * SIZE


@pytest.mark.parametrize("at", [0, 18, 28, 100, 105, 16384])
def test_a_bit_of_the_beginning_costs_nothing_or_little(original: Original, tmp_path: Path, at: int) -> None:
    """Headers and the first pages: what the whole file depends on."""

    def harm(path: Path) -> None:
        for file in (path, path.with_name(path.name + "-wal")):
            content = bytearray(file.read_bytes() if file.exists() else b"")
            if len(content) > at:
                content[at] ^= 4
                file.write_bytes(content)

    check_damaged(original, tmp_path, harm)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_a_database_that_was_cut_off_goes_on(original: Original, tmp_path: Path, share: float) -> None:
    def harm(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(int(path.stat().st_size * share))

    check_damaged(original, tmp_path, harm)


def test_a_write_ahead_file_that_is_gone_is_noticed(original: Original, tmp_path: Path) -> None:
    """By the mark, which says how far the log had been."""

    def harm(path: Path) -> None:
        path.with_name(path.name + "-wal").unlink()

    lost = check_damaged(original, tmp_path, harm)
    if (original.folder / FILE).stat().st_size < SIZE * PADDING:
        assert lost, "all of it was there"


def test_pages_of_noise_are_passed(original: Original, tmp_path: Path) -> None:
    def harm(path: Path) -> None:
        noise = random.Random(1)
        with path.open("r+b") as file:
            for page in range(2, path.stat().st_size // 16384, 3):
                file.seek(page * 16384)
                file.write(noise.randbytes(16384))

    check_damaged(original, tmp_path, harm)


def test_a_file_that_is_gone_is_not_begun_anew(original: Original, tmp_path: Path) -> None:
    """Readers know its positions: they aren't given to other events."""

    def harm(path: Path) -> None:
        path.unlink()
        path.with_name(path.name + "-wal").unlink(missing_ok=True)

    assert check_damaged(original, tmp_path, harm) == LAST + SIZE
    names = {file.name for file in (tmp_path / FILE).parent.iterdir()}
    assert not any(name.endswith((".salvage", ".salvaged")) for name in names)


def test_what_was_damaged_is_kept_beside_the_log(original: Original, tmp_path: Path) -> None:
    def harm(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)

    path = original.copy(tmp_path)
    harm(path)
    before = path.read_bytes()

    async def main() -> None:
        *_, log = await opened(tmp_path)
        await log.stop()

    run(main())
    kept = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    if path.stat().st_size != len(before):  # else all was in the write-ahead file, and nothing was missing
        assert any(file.stat().st_mode & 0o077 == 0 for file in kept)


@pytest.mark.parametrize("moved", [(), ("-wal",), ("-wal", "")])
def test_a_crash_while_the_file_is_replaced_is_finished(
    original: Original, tmp_path: Path, moved: tuple[str, ...]
) -> None:
    """The new file is complete, and some of the old one is still in its place."""
    path = original.copy(tmp_path)
    mark = read_mark(path)
    assert mark is not None
    path.write_bytes(b"\xff" * 50_000)
    salvage(path, mark, 0, 1, "a test")
    (old,) = [file for file in path.parent.iterdir() if file.name.endswith("Z")]
    path.rename(path.with_name(path.name + ".salvaged"))
    for part in {"", "-wal"} - set(moved):
        former = old.with_name(old.name + part)
        if former.exists():
            former.rename(path.with_name(path.name + part))

    async def main() -> None:
        served, aside, following, log = await opened(tmp_path)
        assert all(seq == number for seq, number in served.items() if seq < following)
        assert aside
        assert following > LAST
        await log.stop()

    run(main())
    names = [file.name for file in path.parent.iterdir()]
    assert any(".damaged-" in name for name in names)
    assert not any(name.endswith(".salvaged") for name in names)


def test_a_salvage_that_the_disk_cut_off_is_finished_by_the_next_try(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file was moved aside already: made from nothing, a new one would hold nothing."""
    path = original.copy(tmp_path)
    mark = read_mark(path)
    assert mark is not None
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".salvaged"):
            raise OSError(5, "the disk refuses")
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="refuses"):
            salvage(path, mark, 0, 1, "a test")
    assert not path.exists()
    salvage(path, mark, 0, 2, "a test")

    async def main() -> None:
        served, *_, log = await opened(tmp_path)
        assert set(range(1, LAST + 1)) <= set(served)
        await log.stop()

    run(main())


def test_what_is_lost_of_another_log_may_be_sent_again(tmp_path: Path) -> None:
    def spoil(first_seq: int) -> None:
        with closing(sqlite3.connect(tmp_path / FILE)) as connection:
            connection.execute(
                "UPDATE batch SET payload = zeroblob(length(payload)) WHERE first_seq = ?", (first_seq,)
            )
            connection.commit()

    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        for first in (1, 6, 11):
            await log.append(make_events(first, 5), source=Source("edge", first, first + 4))
        await log.stop()
        spoil(6)
        log = make_log(tmp_path)
        await log.start()
        assert numbers(await read_all(log)) == [*range(1, 6), *range(11, 16)]
        assert list(await log.stored_from("edge")) == [(1, 5), (11, 15)]
        again = await log.append(make_events(6, 5), source=Source("edge", 6, 10))
        assert (again.first_seq, again.duplicate) == (16, False)
        with pytest.raises(SourceStored):
            await log.append(make_events(8, 1), source=Source("edge", 8, 8))
        report = await log.verify()
        assert report.ok, report.problems
        await log.stop()

    run(main())


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_bytes(b"a letter to my grandmother" * 1000)

    async def main() -> None:
        with pytest.raises(Misconfigured, match="not an event log of mtd; name another file"):
            await make_log(tmp_path).start()

    run(main())
    assert path.read_bytes().startswith(b"a letter")
    assert not mark_path(path).exists()


def test_a_log_that_lost_its_end_goes_on_behind_it(tmp_path: Path) -> None:
    """A reader that had been further is the only one who knows."""

    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        await log.append(make_events(1, 10))
        assert not await log.go_on_behind(10)
        assert await log.go_on_behind(25)
        waiting = asyncio.ensure_future(log.untold_damage())
        (damage,) = await waiting
        assert (damage.first_seq, damage.last_seq, damage.events) == (11, 25, 15)
        assert (await log.append(make_events(26, 1))).first_seq == 26
        assert numbers(await log.read(10, 100)) == [26]
        await log.stop()
        log = make_log(tmp_path)
        await log.start()
        assert list(await log.untold_damage()) == [damage]
        assert (await log.append(make_events(27, 1))).first_seq == 27
        assert await log.trim(27) == 27
        report = await log.verify()
        assert report.ok
        await log.stop()

    run(main())


def test_damage_that_comes_while_it_runs_is_passed_at_once(tmp_path: Path) -> None:
    """By readers, and by who appends."""

    async def main() -> None:
        log = make_log(tmp_path, tail_bytes=0, checkpoint_bytes=4096)
        await log.start()
        for number in range(BATCHES):
            await log.append(make_events(number * SIZE + 1, SIZE, padding=PADDING))
        path = tmp_path / FILE
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        waiting = asyncio.ensure_future(log.untold_damage())
        served = numbers(await read_all(log))
        appended = await log.append(make_events(LAST + 1, 1))
        assert appended.first_seq == LAST + 1
        async with asyncio.timeout(10):
            aside = await waiting
        missing = {seq for one in aside for seq in range(one.first_seq, one.last_seq + 1)}
        assert missing
        assert set(served) | missing == set(range(1, LAST + 1))
        assert (await log.verify()).ok
        await log.stop()

    run(main())


def test_a_batch_that_a_page_has_lost_is_told(tmp_path: Path) -> None:
    """Nothing is wrong with what is there; only the numbers show it. What was trimmed is not lost."""

    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        for number in range(10):
            await log.append(make_events(number * SIZE + 1, SIZE))
        await log.trim(11)
        await log.stop()
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute("DELETE FROM batch WHERE first_seq IN (26, 31)")
        log = make_log(tmp_path)
        await log.start()
        for _ in range(2):
            assert numbers(await read_all(log)) == [*range(11, 26), *range(36, 51)]
        (damage,) = await log.untold_damage()
        assert (damage.first_seq, damage.last_seq) == (26, 35)
        assert {problem.kind for problem in (await log.verify()).problems} <= {"totals"}
        await log.stop()

    run(main())


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("UPDATE batch SET last_seq = 'x' WHERE first_seq = 26", range(26, 31)),
        ("UPDATE batch SET crc = 'x' WHERE first_seq = 26", range(26, 31)),
        ("UPDATE batch SET stored_bytes = 'x' WHERE first_seq = 26", range(26, 31)),
        ("UPDATE batch SET appended_us = x'00' WHERE first_seq = 26", range(26, 31)),
        ("UPDATE batch SET payload = 7 WHERE first_seq = 26", range(26, 31)),
        ("UPDATE batch SET last_seq = 'x' WHERE first_seq = 46", range(46, 51)),
        ("UPDATE batch SET last_seq = 9000 WHERE first_seq = 26", range(26, 31)),
        ("UPDATE log SET stored_bytes = 'x'", ()),
        ("UPDATE log SET log_id = x'00'", ()),
        ("UPDATE consumer SET position = 'x'", ()),
        ("INSERT INTO damage VALUES (3, 'x', 0, '', 1, NULL, NULL)", ()),
    ],
)
def test_values_that_are_not_of_their_kind_are_damage(
    tmp_path: Path, statement: str, lost: range | tuple[int, ...]
) -> None:
    """What a record begins with can be spoiled as well: then a number is text."""

    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        for number in range(10):
            await log.append(make_events(number * SIZE + 1, SIZE))
        log.pin("projection", 7)
        await log.stop()
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute(statement)
        log = make_log(tmp_path, retention_s=1e-6)
        await log.start()
        served = numbers(await read_all(log))
        assert (await log.append(make_events(9999, 1))).first_seq > 50
        log.pin("projection", 50)
        await log.trim(40)  # meets every row
        assert sorted(set(range(1, 51)) - set(served)) == list(lost)
        assert (await log.append(make_events(10_000, 1))).first_seq > 51
        await log.stop()

    run(main())


def test_positions_are_reserved_before_they_are_used(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        first = read_mark(tmp_path / FILE)
        assert first is not None
        assert (first.log_id, first.reserved_through) == (log.log_id, RESERVED_AT_ONCE)
        await log.go_on_behind(RESERVED_AT_ONCE - 1)
        await log.append(make_events(1, 5))
        mark = read_mark(tmp_path / FILE)
        assert mark is not None
        assert mark.reserved_through >= log.stats().last_seq > RESERVED_AT_ONCE
        await log.stop()

    run(main())
    mark_path(tmp_path / FILE).write_text("nonsense")
    assert read_mark(tmp_path / FILE) is None


def test_what_was_set_aside_is_no_problem_of_a_verification(original: Original, tmp_path: Path) -> None:
    path = original.copy(tmp_path)
    flip("", 0.5, 3)(path)

    async def main() -> None:
        *_, log = await opened(tmp_path)
        await log.stop()

    run(main())
    report = verify_file(path)
    assert report.ok
