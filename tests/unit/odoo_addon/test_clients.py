"""The clients that the addon makes."""

from __future__ import annotations

import pytest

from mtd.client import MtdClient, MtdClientError
from tests.unit.odoo_addon.parts import part

clients = part("gateway.clients")


def test_a_client_is_made_with_the_deadline_of_its_calls() -> None:
    made = clients.make_client({"target": "127.0.0.1:1"}, 1.0)
    assert made.target == "127.0.0.1:1"
    made.close()


@pytest.mark.parametrize("lacks", clients.NEWEST)
def test_a_client_that_is_too_old_is_refused_in_words(lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(MtdClient, lacks)
    with pytest.raises(MtdClientError, match=f"older than this addon: it lacks {lacks}") as refused:
        clients.make_client({"target": "127.0.0.1:1"}, 1.0)
    assert "pip install" in refused.value.hint
