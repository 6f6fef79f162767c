"""The seat of an edge, with a hub that says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from mtd.coordination.interfaces import ISeat
from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.core.errors import Forbidden, MtdError, Retryable, Superseded, Unauthenticated
from mtd.link import seat as seat_module
from mtd.link.config import LinkConfig
from mtd.link.errands import NoErrands
from mtd.link.kept import KeptFile
from mtd.link.seat import Edge, RemoteSeat
from mtd.model.assignment import AssignedDevice, Assignment
from mtd.model.collector_report import CollectorReport
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.security.keyfile import MasterKey
from tests.unit.link.devices_made import TENANT, assignment, device, exclusive, leased
from tests.unit.link.scripted_hub import WITHIN_S, ScriptedHub, looped

KEY = MasterKey.of(b"\1" * 32)
ONE, TWO = device(1).device_id, device(2).device_id
QUICK = LinkConfig(
    first_retry_s=0.01, longest_retry_s=0.02, refused_grace_s=0, answer_timeout_s=30.0, superseded_pause_s=1
)


async def report() -> CollectorReport:
    return CollectorReport(buffer_events=5, devices=2, clock_synchronised=True)


class Rig:
    """A seat, its hub, and what it assigns."""

    def __init__(
        self,
        folder: Path,
        config: LinkConfig = QUICK,
        handler: Any = None,
        clock: Clock = LEASE_CLOCK,
    ) -> None:
        self.hub = ScriptedHub()
        self.file = KeptFile(folder / "assignment.sealed", lambda: [KEY])
        self.seat = RemoteSeat(
            Edge("edge-1", "collector-1", "1.2.3", "log-1"),
            self.hub,
            self.file,
            handler or NoErrands(),
            report,
            config,
            margin_s=0.5,
            clock=clock,
        )
        self.newest: Assignment | None = None
        self._changed = asyncio.Event()

    async def follow(self) -> None:
        async with aclosing(self.seat.assignments()) as assignments:
            async for self.newest in assignments:
                self._changed.set()

    async def until(self, *devices: AssignedDevice) -> None:
        """Wait until exactly these are assigned."""
        wanted = {one.device.device_id: one for one in devices}
        async with asyncio.timeout(WITHIN_S):
            while self.newest is None or self.newest.devices != wanted:
                self._changed.clear()
                await self._changed.wait()

    async def until_kept(self, *device_ids: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            while set((await asyncio.to_thread(self.file.read)).devices) != set(device_ids):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def seated(folder: Path, **others: Any) -> AsyncIterator[Rig]:
    rig = Rig(folder, **others)
    await rig.seat.start()
    following = asyncio.ensure_future(rig.follow())
    try:
        yield rig
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await rig.seat.stop()


@looped
async def test_an_edge_polls_what_its_hub_tells_it(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        assert verifyObject(ISeat, rig.seat)
        line, hello = await rig.hub.welcomed()
        assert (hello.version, hello.log_id, hello.resumes, len(hello.held)) == ("1.2.3", "log-1", False, 0)
        assert not rig.seat.may_poll(ONE)
        line.tell(assignment(3, leased(1, 4), exclusive(2, 5)))
        await rig.until(leased(1, 4), exclusive(2, 5))
        assert (rig.seat.may_poll(ONE), rig.seat.epoch_of(ONE), rig.seat.epoch_of(TWO)) == (True, 4, 5)
        assert (await line.hear("applied")).revision == 3
        renew = await line.renew()
        assert (renew.report.buffer_events, renew.report.clock_synchronized) == (5, True)
        assert rig.seat.state.linked
        pseudonym = rig.seat.pseudonym_of(TENANT)
        assert pseudonym is not None
        assert pseudonym("ali").startswith("~")


@looped
async def test_what_is_withdrawn_is_told_when_it_is_let_go_and_off_the_disk(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, exclusive(1, 4)))
        await rig.until(exclusive(1, 4))
        await rig.until_kept(ONE)
        line.tell(assignment(2))
        await rig.until()
        await rig.seat.released([ONE])
        assert not rig.file.path.exists()
        released = await line.hear("released")
        assert dict(released.epochs) == {ONE: 4}
        line.end()
        # It wasn't noted: it is told again.
        line, _ = await rig.hub.welcomed()
        again = await line.hear("released")
        assert dict(again.epochs) == {ONE: 4}
        line.say(noted=pb.Noted(sequence=again.sequence))
        line.tell(assignment(3, leased(2)))
        await rig.until(leased(2))
        line.end()
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(4))
        await rig.until()
        await rig.seat.released([TWO])
        assert dict((await line.hear("released")).epochs) == {TWO: 1}


@looped
async def test_what_is_withdrawn_and_not_let_go_yet_is_told_of(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1, 4), exclusive(2, 5)))
        await rig.until(leased(1, 4), exclusive(2, 5))
        assert list(rig.seat.leaving()) == []
        line.tell(assignment(2, exclusive(2, 5)))
        await rig.until(exclusive(2, 5))
        assert list(rig.seat.leaving()) == [ONE]
        line.end()
        _, hello = await rig.hub.welcomed()
        held = {one.device_id: (one.epoch, one.exclusive) for one in hello.held}
        assert held == {ONE: (4, False), TWO: (5, True)}
        await rig.seat.released(rig.seat.leaving())
        assert list(rig.seat.leaving()) == []


@looped
async def test_an_edge_that_restarts_without_its_hub_polls_what_it_has_alone(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1), exclusive(2, 7)))
        await rig.until(leased(1), exclusive(2, 7))
        await rig.until_kept(TWO)
    async with seated(tmp_path) as rig:
        rig.hub.away = True
        await rig.until(exclusive(2, 7))
        assert rig.seat.may_poll(TWO)
        assert not rig.seat.may_poll(ONE)
        assert rig.seat.pseudonym_of(TENANT) is not None
        # Back at its hub, which has given it to another meanwhile.
        rig.hub.away = False
        line, hello = await rig.hub.welcomed()
        (held,) = hello.held
        assert (held.device_id, held.epoch, held.exclusive) == (TWO, 7, True)
        line.tell(assignment(9, leased(1)))
        await rig.until(leased(1))
        assert rig.newest is not None
        await rig.seat.released([TWO])
        assert dict((await line.hear("released")).epochs) == {TWO: 7}


@looped
async def test_what_another_collector_kept_isnt_polled(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, exclusive(2)))
        await rig.until(exclusive(2))
        await rig.until_kept(TWO)
    kept = rig.file.read()
    rig.file.write(type(kept)("another", kept.revision, kept.tenants, kept.devices))
    async with seated(tmp_path) as rig:
        await rig.hub.line()
        assert not rig.seat.may_poll(TWO)


@looped
async def test_a_lease_that_ends_takes_back_what_others_could_poll(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed(lease_s=0.8, renew_s=30.0)
        line.tell(assignment(1, leased(1), exclusive(2)))
        await rig.until(exclusive(2))
        assert not rig.seat.may_poll(ONE)
        line.end()
        line, hello = await rig.hub.welcomed(lease_epoch=2)
        assert hello.resumes
        assert not rig.seat.may_poll(ONE), "it may be another's until it is told again"
        line.tell(assignment(2, leased(1, 2), exclusive(2)))
        await rig.until(leased(1, 2), exclusive(2))
        assert rig.seat.may_poll(ONE)


@looped
async def test_what_was_withdrawn_while_its_lease_ended_is_told_when_it_is_back(tmp_path: Path) -> None:
    """By the hub's clock its lease went on: the hub waits until it hears that the device is let go."""
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed(lease_s=0.8, renew_s=30.0)
        line.tell(assignment(1, leased(1, 4), leased(2, 4)))
        await rig.until()
        line.end()
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(2, leased(2, 4)))
        released = await line.hear("released")
        assert dict(released.epochs) == {ONE: 4}
        line.say(noted=pb.Noted(sequence=released.sequence))
        await rig.until(leased(2, 4))
        assert rig.seat.may_poll(TWO)


@looped
async def test_a_short_break_ends_nothing(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1)))
        await rig.until(leased(1))
        line.fail(Retryable("the hub restarts"))
        line, hello = await rig.hub.welcomed()
        assert [one.device_id for one in hello.held] == [ONE]
        assert rig.seat.may_poll(ONE)
        assert isinstance(rig.hub.failures[0], Retryable)
        line.tell(assignment(1, leased(1)))
        assert (await line.hear("applied")).revision == 1


@looped
async def test_a_hub_that_is_silent_is_left(tmp_path: Path) -> None:
    config = QUICK.model_copy(update={"answer_timeout_s": 0.1})
    async with seated(tmp_path, config=config) as rig:
        line, _ = await rig.hub.welcomed()
        await line.hear("renew")
        async with asyncio.timeout(WITHIN_S):
            await line.closed.wait()
        await rig.hub.line()
        assert "not answered" in str(rig.hub.failures[0])


@looped
async def test_a_hub_that_tells_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has given devices to this collector, which others would poll."""
    monkeypatch.setattr(seat_module, "_UNTOLD_PAUSE_S", 600.0)
    config = QUICK.model_copy(update={"answer_timeout_s": 0.3})
    async with seated(tmp_path, config=config) as rig:
        for _ in range(3):
            line, _ = await rig.hub.welcomed(renew_s=30.0)
            async with asyncio.timeout(WITHIN_S):
                await line.closed.wait()
        with pytest.raises(TimeoutError):  # it stays away, so that its lease ends
            async with asyncio.timeout(0.3):
                await rig.hub._lines.get()
        assert "not told within" in str(rig.hub.failures[-1])


@looped
async def test_a_hub_without_its_database_isnt_left_but_the_lease_ends(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed(lease_s=0.8)
        line.tell(assignment(1, leased(1)))
        await rig.until(leased(1))
        answering = asyncio.ensure_future(_answer(line, 0.0))
        await rig.until()
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        assert not rig.hub.failures
        await line.renew(60.0)
        await rig.until(leased(1))


async def _answer(line: Any, lease_s: float) -> None:
    while True:
        await line.renew(lease_s)


@pytest.mark.parametrize("refusal", [Unauthenticated, Forbidden])
@looped
async def test_who_is_refused_lets_go_of_everything_and_forgets(
    tmp_path: Path, refusal: type[MtdError]
) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1), exclusive(2)))
        await rig.until(leased(1), exclusive(2))
        await rig.until_kept(TWO)
        line.fail(refusal("the certificate was revoked"))
        await rig.until()
        assert not rig.seat.may_poll(TWO)
        async with asyncio.timeout(WITHIN_S):
            while rig.file.path.exists():
                await asyncio.sleep(0.005)
        assert "revoked" in rig.seat.state.failure
        # Let in again, it goes on.
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(2, exclusive(2)))
        await rig.until(exclusive(2))


@looped
async def test_a_refusal_that_passes_ends_only_what_others_could_poll(tmp_path: Path) -> None:
    config = QUICK.model_copy(update={"refused_grace_s": 60.0})
    async with seated(tmp_path, config=config) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1), exclusive(2)))
        await rig.until(leased(1), exclusive(2))
        line.fail(Unauthenticated("the certificate isn't one that mtd knows"))
        await rig.until(exclusive(2))
        assert rig.seat.may_poll(TWO)
        line, _ = await rig.hub.welcomed(lease_epoch=2)
        line.tell(assignment(2, leased(1, 2), exclusive(2)))
        await rig.until(leased(1, 2), exclusive(2))


@looped
async def test_who_is_superseded_stops_and_leaves_the_file_to_the_other(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, exclusive(2)))
        await rig.until(exclusive(2))
        await rig.until_kept(TWO)
        line.fail(Superseded("another process takes part"))
        await rig.until()
        assert not rig.seat.may_poll(TWO)
        assert TWO in rig.file.read().devices
        line, hello = await rig.hub.welcomed(lease_epoch=2)
        assert hello.resumes
        line.tell(assignment(2))
        async with asyncio.timeout(WITHIN_S):
            while rig.file.path.exists():
                await asyncio.sleep(0.005)


@looped
async def test_who_stops_says_so_unless_it_has_devices_alone(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1)))
        await rig.until(leased(1))
        await rig.seat.stop()
        await line.hear("leave")
        assert not rig.seat.may_poll(ONE)


@looped
async def test_what_is_told_while_it_says_good_bye_is_not_kept(tmp_path: Path) -> None:
    """It is another one's soon: this one would poll it, too, when it is started again."""
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1)))
        await rig.until(leased(1))
        attachment = rig.seat._attachment
        assert attachment is not None
        await attachment.leave()
        line.tell(assignment(2, exclusive(1)))
        line.end()
        await line.closed.wait()
        assert not rig.seat._holding.has_exclusive
        assert not rig.file.path.exists()


@looped
async def test_who_stops_says_nothing_while_its_disk_names_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("read-only")

    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, exclusive(1)))
        await rig.until_kept(ONE)
        monkeypatch.setattr(rig.file, "remove", full)
        monkeypatch.setattr(seat_module, "_GOODBYE_S", 0.05)
        line.tell(assignment(2, leased(1)))
        await rig.until(leased(1))
        await rig.seat.stop()
        await line.closed.wait()
        said = [line._requests.get_nowait().WhichOneof("message") for _ in range(line._requests.qsize())]
        assert "leave" not in said


@looped
async def test_rows_are_asked_for_some_devices_at_a_time(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:
        with pytest.raises(Retryable):
            await rig.seat.known_rows([ONE], ["arp"])
        line, _ = await rig.hub.welcomed()
        await line.hear("renew")
        row = pb.KnownRow(device_id=ONE, table_name="arp", row_key="k", fields={"a": "b"})
        rig.hub.rows = [pb.StreamKnownRowsResponse(rows=[row])]
        found = await rig.seat.known_rows([f"device-{number}" for number in range(401)], ["arp"])
        assert found == {ONE: {"arp": {"k": {"a": "b"}}}}
        assert [len(request.device_ids) for request in rig.hub.asked] == [200, 200, 1]


class Slow:
    """Does what it is told until it is told otherwise."""

    capabilities = ("wait",)

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(
        self, command: pb.Command, assigned: AssignedDevice | None
    ) -> AsyncGenerator[pb.CommandUpdate, None]:
        if assigned is None:
            raise Retryable("it isn't polled here")
        yield pb.CommandUpdate(rows=pb.ToolRows())
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


def command(command_id: str, device_id: str = ONE, timeout_s: float = 30.0) -> pb.Command:
    work = pb.RefreshCapabilities(device_id=device_id)
    return pb.Command(command_id=command_id, timeout_s=timeout_s, refresh_capabilities=work)


@looped
async def test_commands_end_when_nobody_waits_for_them(tmp_path: Path) -> None:
    slow = Slow()
    async with seated(tmp_path, handler=slow) as rig:
        line, hello = await rig.hub.welcomed()
        assert list(hello.capabilities) == ["wait"]
        line.tell(assignment(1, leased(1)))
        await rig.until(leased(1))
        line.say(command=command("a"))
        assert (await line.hear("command")).command_id == "a"
        async with asyncio.timeout(WITHIN_S):
            await slow.begun.wait()
            line.say(cancel=pb.CancelCommand(command_id="a"))
            await slow.ended.wait()
        line.say(command=command("b", TWO))
        failed = await line.hear("command")
        assert (failed.command_id, failed.failure.error) == ("b", "Retryable")
        line.say(command=command("c", timeout_s=0.05))
        assert (await line.hear("command")).WhichOneof("update") == "rows"
        assert "longer than" in (await line.hear("command")).failure.message


@looped
async def test_commands_end_with_the_link_and_there_are_only_so_many(tmp_path: Path) -> None:
    slow = Slow()
    config = QUICK.model_copy(update={"max_commands": 1})
    async with seated(tmp_path, handler=slow, config=config) as rig:
        line, _ = await rig.hub.welcomed()
        line.tell(assignment(1, leased(1)))
        await rig.until(leased(1))
        line.say(command=command("a"))
        await line.hear("command")
        line.say(command=command("b"))
        assert "at a time" in (await line.hear("command")).failure.message
        line.end()
        async with asyncio.timeout(WITHIN_S):
            await slow.ended.wait()
