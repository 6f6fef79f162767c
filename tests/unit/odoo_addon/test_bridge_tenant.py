"""Whose events are copied: those of the tenant whose devices the company has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.odoo_addon import bridge_kit as kit


class Client:
    """Says whose tenant the token is."""

    async def ask(self, call: Any) -> Any:
        assert call.method == "WhoAmI"
        return SimpleNamespace(tenant="north")


class Copy:
    """Notes whether events were copied."""

    runs = 0

    async def run(self) -> None:
        self.runs += 1


async def copied(tenant: str) -> int:
    connection = kit.port.Connection(1, "acme", tenant=tenant)
    copy = Copy()
    figures = kit.part("figures").Figures()
    await kit.part("tenant").Tenant(connection, Client(), None, None, None, figures)._copy_events(copy)
    return copy.runs


@kit.on_loop
async def test_events_of_ones_own_tenant_are_copied() -> None:
    assert await copied("north") == 1


@kit.on_loop
async def test_whoever_had_no_devices_yet_may_have_any_tenant() -> None:
    assert await copied("") == 1


@kit.on_loop
async def test_events_of_another_tenant_are_not() -> None:
    with pytest.raises(kit.part("tenant").WrongTenant, match="of tenant north, not of acme"):
        await copied("acme")
