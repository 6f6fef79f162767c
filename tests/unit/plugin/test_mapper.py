from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from mtd.model.command import Command
from mtd.model.device import InterfaceNaming, Severity
from mtd.model.layout import Layout
from mtd.model.metric import Lane, Tier
from mtd.model.observation import CapabilityFact, Observation, ProbeFacts
from mtd.plugin import Collector, Probe
from mtd.plugin.config import PluginConfig
from mtd.plugin.manager import PluginManager
from mtd.testing.contract import make_device
from mtd.testing.observations import all_values, doubtful_of, events_of, values_of
from mtd.testing.replies import replies_from, reply
from tests.unit.plugin.conftest import PORTS, PORTS_EGG, SESSIONS, TABLE, Scene, port


def event_types(observation: Observation) -> list[str]:
    return [change.event_type for change in observation.state_changes]


def test_a_tier_is_one_batch_of_commands_that_name_their_properties(scene: Scene) -> None:
    assert scene.mapper.commands(Tier.T0) == [
        Command(
            "/port/print",
            (".id", "byte", "flaps", "up", "off"),
            max_rows=PORTS.max_rows,
            max_bytes=PORTS.max_bytes,
        ),
        Command("/system/resource/print", ("uptime",), max_rows=10, max_bytes=65_536),
    ]
    assert [command.path for command in scene.mapper.commands(Tier.T1)] == ["/port/print"]
    assert scene.mapper.commands(Tier.T2)[0].arguments == (("count-only", ""),)


def test_menus_that_read_the_same_share_one_command(make_scene: object) -> None:
    assert callable(make_scene)
    other = Collector(
        name="other",
        api=1,
        description="Reads ports too.",
        menus=(replace(TABLE, table="other", fields=TABLE.fields[:1], labels=None, max_rows=9_000),),
    )
    scene: Scene = make_scene(PORTS_EGG, other)
    [command] = scene.mapper.commands(Tier.T1)
    assert (command.proplist, command.max_rows) == ((".id", "name", "comment", "serial"), 9_000)
    observation = scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "a", "serial": "s"}])
    assert [change.table for change in observation.tables] == ["port", "other"]


def test_a_frame_holds_counters_gauges_and_rates_of_all_rows(scene: Scene) -> None:
    scene.ports(1.0, port(1, byte=1000), port(2, byte=5))
    frame = scene.ports(2.0, port(1, byte=2000, flaps=3), port(2, byte=5, up=False)).frame
    assert frame is not None
    assert values_of(frame) == {
        "port.rx_bytes_total[*1]": 2000,
        "port.rx_bytes_total[*2]": 5,
        "port.flaps_total[*1]": 3,
        "port.flaps_total[*2]": 0,
        "port.state[*1]": 1.0,
        "port.state[*2]": 0.0,
        "port.rx_bps[*1]": 8000.0,
        "port.rx_bps[*2]": 0.0,
    }
    assert all(isinstance(counter, int) for counter in frame.counters)
    assert frame.layout == Layout.of("t0", frame.layout.series)
    assert (frame.collected_us, frame.poll_duration_us) == (2_000_000, 2_000)


def test_counters_are_exact_above_what_a_double_holds(scene: Scene) -> None:
    frame = scene.ports(0.0, port(1, byte=2**53 + 1), port(2, byte=2**63 - 1), port(3, byte=2**63)).frame
    assert frame is not None
    assert list(frame.counters[:3]) == [2**53 + 1, 2**63 - 1, None]


def test_the_layout_is_the_same_object_while_the_rows_are_the_same(scene: Scene) -> None:
    frames = [scene.ports(float(at), port(1, byte=at), port(2)).frame for at in range(3)]
    grown = scene.ports(3.0, port(1, byte=3), port(2), port(3)).frame
    shrunk = scene.ports(4.0, port(1, byte=4), port(2)).frame
    assert frames[0] is not None
    assert grown is not None
    assert shrunk is not None
    assert all(frame is not None and frame.layout is frames[0].layout for frame in frames)
    assert grown.layout.layout_id != frames[0].layout.layout_id
    assert shrunk.layout == frames[0].layout
    # The rows that stayed kept their baselines through both changes.
    assert values_of(grown)["port.rx_bps[*1]"] == values_of(shrunk)["port.rx_bps[*1]"] == 8.0


def test_rows_in_another_order_are_the_same_things(scene: Scene) -> None:
    scene.ports(0.0, port(1, byte=100), port(2, byte=900))
    frame = scene.ports(1.0, port(2, byte=901), port(1, byte=110)).frame
    assert values_of(frame)["port.rx_bps[*1]"] == 80.0
    assert values_of(frame)["port.rx_bps[*2]"] == 8.0


def test_absent_values_stay_absent(scene: Scene) -> None:
    without = {key: value for key, value in port(1).items() if key not in {"byte", "up"}}
    values = all_values(scene.ports(0.0, without, port(2, byte="", flaps="x", up="maybe")).frame)
    assert values == {
        "port.rx_bytes_total[*1]": None,
        "port.rx_bytes_total[*2]": None,
        "port.flaps_total[*1]": 0,
        "port.flaps_total[*2]": None,
        "port.state[*1]": None,
        "port.state[*2]": None,
        "port.rx_bps[*1]": None,
        "port.rx_bps[*2]": None,
    }


def test_rows_without_a_key_or_with_one_twice_are_left_out(scene: Scene) -> None:
    keyless = {key: value for key, value in port(9, byte=9).items() if key != ".id"}
    frame = scene.ports(0.0, keyless, port(1, byte=1), port(1, byte=2), port(2, byte=3)).frame
    assert frame is not None
    assert [series.instance for series in frame.layout.lane(Lane.RATE)] == ["*1", "*2"]
    assert list(frame.counters[:2]) == [1, 3]


def test_a_menu_that_fails_once_keeps_its_series_without_values(scene: Scene) -> None:
    first = scene.ports(0.0, port(1, byte=10)).frame
    commands = scene.mapper.commands(Tier.T0)
    failed = scene.mapper.observe(
        Tier.T0, [reply(command, at=1.0, trap="interrupted") for command in commands]
    )
    assert failed.frame is None
    assert failed.state_changes == []
    after = scene.ports(2.0, port(1, byte=30)).frame
    assert first is not None
    assert after is not None
    assert (after.layout, after.collected_us) == (first.layout, 2_000_000)
    assert after.collected_us == 2_000_000
    assert values_of(after)["port.rx_bps[*1]"] == 80.0


def test_answers_in_another_order_or_missing_are_no_harm(scene: Scene) -> None:
    scene.ports(0.0, port(1, byte=1))
    answers = replies_from(
        scene.mapper.commands(Tier.T0), scene.menus | {"/port/print": [port(1, byte=2)]}, at=1.0
    )
    observation = scene.mapper.observe(Tier.T0, answers[::-1])
    assert values_of(observation.frame)["port.rx_bps[*1]"] == 8.0
    assert scene.mapper.observe(Tier.T0, []).frame is None
    assert scene.mapper.observe(Tier.T0, [reply(Command("/other/print"), at=2.0)]).frame is None


# ------------------------------------------------------------ events


def test_states_raise_events_when_they_change_and_not_on_first_sight(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "wan", "comment": "Fibre", "serial": "a"}])
    assert scene.ports(0.0, port(1, up=False)).state_changes == []
    assert scene.ports(1.0, port(1, up=False)).state_changes == []
    [up] = scene.ports(2.0, port(1, up=True)).state_changes
    assert (up.event_type, up.severity, up.entity_id, up.entity_label) == (
        "port.changed",
        Severity.INFO,
        "*1",
        "wan",
    )
    assert (up.field, up.old, up.new, up.message) == ("up", "down", "up", "wan is up")
    assert scene.ports(3.0, port(2)).state_changes == []
    [down] = scene.ports(4.0, port(1, up=False), port(2)).state_changes
    assert down.severity is Severity.WARNING


def test_a_change_that_somebody_wanted_is_no_warning(scene: Scene) -> None:
    scene.ports(0.0, port(1))
    [down] = scene.ports(1.0, port(1, up=False, off=True)).state_changes
    assert down.severity is Severity.INFO


def test_an_absent_state_is_no_change(scene: Scene) -> None:
    scene.ports(0.0, port(1))
    unknown = {key: value for key, value in port(1).items() if key != "up"}
    assert scene.ports(1.0, unknown).state_changes == []
    assert scene.ports(2.0, port(1)).state_changes == []
    assert event_types(scene.ports(3.0, port(1, up=False))) == ["port.changed"]


@pytest.mark.parametrize(
    ("naming", "label"),
    [
        (InterfaceNaming.NAME, "wan"),
        (InterfaceNaming.COMMENT, "Fibre"),
        (InterfaceNaming.BOTH, "wan (Fibre)"),
    ],
)
def test_messages_call_things_as_the_device_is_set_to(
    make_scene: object, naming: InterfaceNaming, label: str
) -> None:
    assert callable(make_scene)
    scene: Scene = make_scene(naming=naming)
    scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "wan", "comment": "Fibre", "serial": "a"}])
    scene.ports(0.0, port(1))
    [down] = scene.ports(1.0, port(1, up=False)).state_changes
    assert down.message == f"{label} is down"
    # Its log calls it by its name.
    assert (down.logged_as or down.entity_label) == "wan"


def test_text_of_a_router_is_never_a_template(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "{new}{0.__class__}", "serial": "a"}])
    scene.ports(0.0, port(1))
    [change] = scene.ports(1.0, port(1, up=False)).state_changes
    assert change.entity_label == "{new}{0.__class__}"
    assert "class" in change.message


# ------------------------------------------------------------ reboots and doubts


def test_a_reboot_is_an_event_and_no_rate_spans_it(scene: Scene) -> None:
    scene.ports(0.0, port(1, byte=10))
    scene.uptime_s = 4.0
    observation = scene.ports(1.0, port(1, byte=5000))
    [event] = events_of(observation, "device.rebooted")
    assert (event.severity, event.entity_id, event.entity_label) == (
        Severity.WARNING,
        scene.mapper.device.device_id,
        "edge-1",
    )
    assert all_values(observation.frame)["port.rx_bps[*1]"] is None
    assert scene.mapper.probe_wanted
    assert values_of(scene.ports(2.0, port(1, byte=5010)).frame)["port.rx_bps[*1]"] == 80.0


def test_a_reboot_during_a_silence_is_noticed_though_the_uptime_grew(scene: Scene) -> None:
    scene.uptime_s = 10.0
    scene.ports(0.0, port(1))
    scene.uptime_s = -3000.0
    assert event_types(scene.ports(3600.0, port(1))) == ["device.rebooted"]
    scene.uptime_s = -3000.4
    assert event_types(scene.ports(7200.0, port(1))) == []


def test_a_step_of_the_wall_clock_changes_no_rate(scene: Scene) -> None:
    scene.ports(0.0, port(1, byte=0))
    answers = replies_from(
        scene.mapper.commands(Tier.T0),
        scene.menus | {"/port/print": [port(1, byte=100)]},
        at=1.0,
        wall_us=-(10**15),
    )
    observation = scene.mapper.observe(Tier.T0, answers)
    assert values_of(observation.frame)["port.rx_bps[*1]"] == 800.0
    assert observation.collected_us == -(10**15)


def test_late_polls_are_of_low_confidence(scene: Scene) -> None:
    scene.ports(0.0, port(1), port(2))
    assert doubtful_of(scene.ports(1.0, port(1), port(2)).frame) == set()
    assert doubtful_of(scene.ports(2.0, port(1), port(2), late=True).frame) == {
        "port.rx_bps[*1]",
        "port.rx_bps[*2]",
    }


def test_a_latency_spike_is_of_low_confidence(scene: Scene) -> None:
    for at in range(5):
        assert doubtful_of(scene.ports(float(at), port(1)).frame) == set()
    assert doubtful_of(scene.ports(5.0, port(1), duration_s=0.4).frame) == {"port.rx_bps[*1]"}
    assert doubtful_of(scene.ports(6.0, port(1)).frame) == {"port.rx_bps[*1]"}
    assert doubtful_of(scene.ports(7.0, port(1)).frame) == set()
    # A device that is always slow is not spiking.
    scene.mapper.session_restarted()
    assert [bool(doubtful_of(scene.ports(at, port(1), duration_s=0.4).frame)) for at in (8.0, 9.0)] == [
        False,
        False,
    ]


def test_rates_over_the_link_are_doubted_then_discarded(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "wan", "serial": "a"}])
    speeds = scene.poll(
        Tier.T1, 1.0, port_monitor=[{"name": "wan", "speed": 1000}, {"name": "new", "speed": 7}]
    )
    assert values_of(speeds.frame) == {"port.speed_bps[*1]": 1000.0}
    scene.ports(2.0, port(1, byte=0), port(2, byte=0))
    doubted = scene.ports(3.0, port(1, byte=1000), port(2, byte=1000))
    assert doubtful_of(doubted.frame) == {"port.rx_bps[*1]"}
    assert doubted.discarded_rates == 0
    discarded = scene.ports(4.0, port(1, byte=2000), port(2, byte=2000))
    assert discarded.discarded_rates == 1
    assert all_values(discarded.frame)["port.rx_bps[*1]"] is None
    assert values_of(discarded.frame)["port.rx_bytes_total[*1]"] == 2000
    without_link = {"port": [{".id": "*1", "name": "wan", "serial": "a"}], "port_monitor": [{"name": "wan"}]}
    scene.poll(Tier.T1, 11.0, **without_link)
    scene.ports(12.0, port(1, byte=0))
    scene.ports(13.0, port(1, byte=1000))
    assert values_of(scene.ports(14.0, port(1, byte=2000)).frame)["port.rx_bps[*1]"] == 8000.0


# ------------------------------------------------------------ capabilities and refusals


def facts(**present: bool) -> ProbeFacts:
    known = tuple(CapabilityFact(name, there) for name, there in present.items())
    return ProbeFacts("7.16", 7, "", "", "", "", known)


def test_menus_are_read_unless_the_probe_says_that_they_are_not_there(scene: Scene) -> None:
    assert scene.mapper.commands(Tier.T2)
    scene.mapper.set_capabilities(facts(sessions=False))
    assert scene.mapper.commands(Tier.T2) == []
    scene.mapper.set_capabilities(facts(sessions=True))
    assert scene.mapper.commands(Tier.T2)
    scene.mapper.set_capabilities(facts(other=True))
    assert scene.mapper.commands(Tier.T2)
    scene.mapper.set_capabilities({"other"})
    assert scene.mapper.commands(Tier.T2) == []
    scene.mapper.set_capabilities(None)
    assert scene.mapper.commands(Tier.T2)


@pytest.mark.parametrize(
    ("trap", "read"),
    [
        ("no such command prefix", False),
        ("not enough permissions (9)", True),
        ("failure: action timed out", True),
        ("interrupted", True),
    ],
)
def test_a_menu_is_left_out_only_if_the_router_says_that_there_is_none(
    make_scene: Callable[..., Scene], trap: str, read: bool
) -> None:
    scene = make_scene(replace(PORTS_EGG, probes=(Probe(capability="sessions", path="/session"),)))
    answers = [reply(command, trap=trap) for command in scene.mapper.probe_commands()]
    scene.mapper.set_capabilities(scene.mapper.probe_facts(answers))
    assert bool(scene.mapper.commands(Tier.T2)) is read


def test_a_missing_menu_is_told_once_and_asked_again_after_the_next_probe(scene: Scene) -> None:
    missing = scene.refuse(Tier.T2, 0.0, "no such command prefix")
    [event] = missing.state_changes
    assert (event.event_type, event.severity, event.new) == ("device.menu.changed", Severity.INFO, "missing")
    assert scene.mapper.commands(Tier.T2) == []
    scene.mapper.set_capabilities(facts(sessions=True))
    assert scene.refuse(Tier.T2, 60.0, "no such command prefix").state_changes == []
    scene.mapper.set_capabilities(facts(sessions=True))
    [back] = scene.poll(Tier.T2, 120.0, session=[{}]).state_changes
    assert (back.old, back.new) == ("missing", "present")


def test_a_denied_menu_is_told_once_and_asked_on(scene: Scene) -> None:
    [event] = scene.refuse(Tier.T2, 0.0, "not enough permissions (9)").state_changes
    assert (event.severity, event.new) == (Severity.WARNING, "denied")
    assert "monitor" in event.message
    assert scene.refuse(Tier.T2, 60.0, "not enough permissions (9)").state_changes == []
    [back] = scene.poll(Tier.T2, 120.0, session=[]).state_changes
    assert (back.old, back.new) == ("denied", "present")


def test_a_table_whose_menu_is_gone_is_empty(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "a", "serial": "s"}])
    gone = scene.refuse(Tier.T1, 1.0, "no such command")
    assert [(change.complete, dict(change.upserted)) for change in gone.tables] == [(True, {})]


def test_the_router_counts_what_is_only_counted(scene: Scene) -> None:
    frame = scene.poll(Tier.T2, 0.0, session=[{}] * 3200).frame
    assert values_of(frame) == {"session.active": 3200.0}


def test_more_rows_than_the_cap_are_left_out_and_told(make_scene: object) -> None:
    assert callable(make_scene)
    scene: Scene = make_scene(mapper={"settings": PluginConfig(max_instances=2)})
    ports = [port(number) for number in range(5)]
    observation = scene.ports(0.0, *ports)
    [event] = observation.state_changes
    assert (event.event_type, event.severity, event.old, event.new) == (
        "collector.rows.capped",
        Severity.WARNING,
        "2",
        "5",
    )
    assert observation.frame is not None
    assert len(observation.frame.rates) == 2
    assert scene.ports(1.0, *ports).state_changes == []
    assert event_types(scene.ports(2.0, *ports[:2])) == ["collector.rows.uncapped"]


def test_counting_needs_the_capability_that_it_names() -> None:
    assert SESSIONS.requires == "sessions"


def test_a_poll_of_thirty_interfaces_costs_little() -> None:
    """Under 50 microseconds on an idle machine, rates included; the bound leaves room for a busy one."""
    mapper = PluginManager.load(environment={}).mapper(make_device())
    commands = mapper.commands(Tier.T0)
    assert commands, "the eggs of this project have to be installed: see scripts/test"
    counters = [name for name in commands[0].proplist if name not in {".id", "running", "disabled"}]
    polls = []
    for poll in range(200):
        rows = [
            {
                ".id": f"*{n:X}",
                "running": True,
                "disabled": False,
                **dict.fromkeys(counters, 10**9 * n + poll * 1000),
            }
            for n in range(30)
        ]
        resource = [{"uptime": f"1d{poll}s", "cpu-load": poll % 50, "free-memory": 10**8 + poll}]
        menus = {"/interface/print": rows, "/system/resource/print": resource}
        polls.append(replies_from(commands, menus, at=float(poll)))
    mapper.observe(Tier.T0, polls[0])
    started = time.process_time()
    for poll in polls[1:]:
        frame = mapper.observe(Tier.T0, poll).frame
        assert frame is not None
    cost = (time.process_time() - started) / (len(polls) - 1)
    assert len(frame.counters) == 300
    assert cost < 500e-6
