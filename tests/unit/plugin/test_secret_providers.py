"""Plugins bring providers of secrets: each has to be what it says it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from zope.interface import implementer

from mtd.plugin import Fetched, ISecretProvider, hookimpl
from mtd.testing import run_async
from tests.unit.plugin.test_manager import egg, entry_point, load, module


@implementer(ISecretProvider)
class Wallet:
    """A provider as a plugin would write it."""

    def __init__(self, scheme: str = "wallet", word: str = "") -> None:
        self.scheme = scheme
        self.word = word

    def check(self, tenant_id: str, path: str) -> None:
        """Everything is allowed."""

    async def fetch(self, tenant_id: str, path: str) -> Fetched:
        return Fetched(f"{self.word} {path}")

    async def stop(self) -> None:
        """There is nothing to close."""


def bringing(*offered: object) -> Any:
    @hookimpl
    def mtd_secret_providers() -> list[object]:
        return list(offered)

    return module(mtd_secret_providers=mtd_secret_providers)


def test_a_plugin_may_bring_nothing_else() -> None:
    @hookimpl
    def mtd_secret_providers(settings: Mapping[str, Mapping[str, Any]]) -> Iterable[object]:
        return [Wallet(**settings["wallet"])] if "wallet" in settings else []

    manager = load(entry_point("wallet", module(mtd_secret_providers=mtd_secret_providers)))
    assert manager.problems == ()
    assert manager.secret_providers({}) == {}
    found = manager.secret_providers({"wallet": {"word": "open"}})
    assert run_async(found["wallet"].fetch("tenant", "sesame")).secret == "open sesame"


@pytest.mark.parametrize("offered", [object(), Wallet, None])
def test_what_is_no_provider_is_left_out(offered: object, caplog: pytest.LogCaptureFixture) -> None:
    manager = load(entry_point("bad", bringing(offered)), entry_point("good", bringing(Wallet())))
    assert list(manager.secret_providers({})) == ["wallet"]
    assert "providers of plugin bad are left out" in caplog.text


def test_one_that_raises_is_left_out_and_its_words_are_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    @hookimpl
    def mtd_secret_providers() -> list[object]:
        raise ValueError("hunter2")

    manager = load(
        entry_point("bad", module(mtd_secret_providers=mtd_secret_providers)),
        entry_point("good", bringing(Wallet())),
    )
    assert list(manager.secret_providers({})) == ["wallet"]
    assert "it failed with ValueError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_scheme_belongs_to_one(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Wallet(word="first"), Wallet(word="second")
    manager = load(entry_point("a", bringing(first)), entry_point("b", bringing(second, Wallet("vault"))))
    assert manager.secret_providers({}, taken=["vault"]) == {"wallet": first}
    assert caplog.text.count("the scheme is taken") == 2


def test_a_plugin_that_brings_nothing_is_told() -> None:
    assert "brings nothing" in load(entry_point("empty", egg())).problems[0]
