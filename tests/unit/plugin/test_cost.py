from __future__ import annotations

from dataclasses import replace

from mtd.model.metric import Tier
from mtd.plugin.cost import cost_of
from tests.unit.plugin.conftest import NOTE, PORTS, PORTS_EGG, SESSIONS, SPEEDS, TABLE


def test_menus_that_read_the_same_cost_one_command_that_asks_for_all_they_need() -> None:
    twin = replace(PORTS, name="twin", tier=Tier.T1, fields=PORTS.fields[:1])
    egg = replace(PORTS_EGG, menus=(TABLE, twin, SPEEDS))
    [cost] = cost_of(egg)
    assert (cost.tier, cost.commands) == (Tier.T1, 2)
    # .id, name, comment, serial and byte of one; name and speed of the other.
    assert cost.properties == 5 + 2
    assert cost.max_rows == 2 * TABLE.max_rows
    assert cost.commands_per_hour == 2 * 360


def test_each_tier_is_told_and_of_two_menus_in_place_of_each_other_one() -> None:
    other = replace(SESSIONS, name="older", path="/older", instead_of="sessions")
    egg = replace(PORTS_EGG, menus=(PORTS, SESSIONS, other, NOTE))
    assert [(cost.tier, cost.commands) for cost in cost_of(egg)] == [(Tier.T0, 1), (Tier.T2, 1), (Tier.T3, 1)]
