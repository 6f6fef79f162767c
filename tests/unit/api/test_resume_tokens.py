"""Streams of newest values that go on after a break."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.resume_tokens import ResumePoints, selection_of
from mtd.api.grpc.stream_hub import StreamHub
from mtd.testing import run_async
from tests.unit.api.fakes import (
    CATALOGUE,
    OTHER_TENANT,
    TENANT,
    FakeTelemetry,
    declared,
    device,
    frame,
    numbered,
)


def hub_of(*names: str) -> StreamHub:
    hub = StreamHub(FakeTelemetry(), CATALOGUE)
    hub.apply_devices([device(name, name) for name in names])
    for name in names:
        hub.publish(numbered(declared(device_id=name), frame(10, device_id=name)))
    return hub


async def drained(
    hub: StreamHub, resume: str = "", devices: tuple[str, ...] = ()
) -> tuple[set[str], str, bool]:
    """Return whose values a stream sends at its beginning, where it is then, and whether it was resumed."""
    shown: set[str] = set()
    names: dict[int, str] = {}
    token = ""
    with hub.open_stream(TENANT, devices, (), resume) as stream:
        messages = stream.messages()
        while stream.waiting:
            message = await anext(messages)
            layouts = [message.layout] if message.HasField("layout") else message.batch.layouts
            names |= {layout.layout: layout.device_id for layout in layouts}
            updates = [message.update] if message.HasField("update") else message.batch.updates
            shown |= {names[update.layout] for update in updates}
            token = message.resume_token
        # A layout and its update may be two messages: the token is on the second.
        if not token and names and not shown:
            message = await anext(messages)
            shown, token = {names[message.update.layout]}, message.resume_token
        await messages.aclose()
        return shown, token, stream.resumed


def test_what_was_shown_and_didnt_change_isnt_sent_again() -> None:
    async def main() -> None:
        hub = hub_of("d1", "d2", "d3")
        shown, token, resumed = await drained(hub)
        assert (shown, resumed) == ({"d1", "d2", "d3"}, False)
        assert await drained(hub, token) == (set(), "", True)
        hub.publish(numbered(frame(20, device_id="d2")))
        shown, after, resumed = await drained(hub, token)
        assert (shown, resumed) == ({"d2"}, True)
        assert after != token
        assert (await drained(hub, after))[0] == set()

    run_async(main())


def test_a_stream_begins_anew_where_the_token_tells_too_little() -> None:
    async def main() -> None:
        hub = hub_of("d1", "d2")
        _, token, _ = await drained(hub)
        everything = {"d1", "d2"}
        assert (await drained(hub_of("d1", "d2"), token))[0] == everything  # another process
        assert (await drained(hub, token, ("d*",)))[0] == everything  # another selector
        hub.apply_devices([device("d1", "d1"), device("d2", "renamed")])
        assert (await drained(hub, token))[0] == everything
        _, token, _ = await drained(hub)
        hub.apply_devices([device("d1", "d1")])
        shown, _, resumed = await drained(hub, token)
        assert (shown, resumed) == ({"d1"}, False)

    run_async(main())


def test_a_device_that_goes_is_told_to_a_stream_that_was_resumed() -> None:
    async def main() -> None:
        hub = hub_of("d1", "d2")
        _, token, _ = await drained(hub)
        with hub.open_stream(TENANT, (), (), token) as stream:
            assert stream.resumed
            hub.apply_devices([device("d1", "d1")])
            message = await anext(stream.messages())
            assert message.gone.device_id == "d2"

    run_async(main())


def test_a_token_of_another_tenant_shows_nothing_of_it() -> None:
    points = ResumePoints()
    for _ in range(5):
        points.changed(TENANT)
    token = points.token(TENANT, "s")
    assert points.change_at(TENANT, "s", token) == 5
    assert points.change_at(OTHER_TENANT, "s", token) is None
    assert points.token(OTHER_TENANT, "s").endswith("-0")  # nor how much happens there


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_not(text: str) -> None:
    points = ResumePoints()
    points.changed(TENANT)
    assert points.change_at(TENANT, "s", text) is None


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_selectors_are_told_apart(devices: list[str], metrics: list[str]) -> None:
    assert selection_of(devices, metrics) == selection_of(list(devices), tuple(metrics))
    if devices != metrics:
        assert selection_of(devices, metrics) != selection_of(metrics, devices)
    assert selection_of([*devices, "x"], metrics) != selection_of(devices, ["x", *metrics])
