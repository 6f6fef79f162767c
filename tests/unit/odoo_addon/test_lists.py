"""Whole lists: they have an end, whatever mtd answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mtd.client import MtdClientError
from tests.unit.odoo_addon.parts import part

lists = part("gateway.lists")

PAGES = {"": ([1, 2], "a"), "a": ([3], "b"), "b": ([], "")}


class Client:
    """Answers each kind of list with pages, by the token in the request."""

    def __init__(self, pages: dict[str, tuple[list[int], str]]) -> None:
        self.pages = pages
        self.asked: list[tuple[str, str]] = []

    def ask(self, call: Any) -> Any:
        self.asked.append((call.method, call.request.page_token))
        rows, token = self.pages[call.request.page_token]
        if call.method == "ListDevices":
            return list(rows), token
        return SimpleNamespace(places=rows, sets=rows, next_page_token=token)


@pytest.mark.parametrize(
    ("name", "method"),
    [("devices", "ListDevices"), ("sites", "ListSites"), ("credential_sets", "ListCredentialSets")],
)
def test_all_pages_are_read(name: str, method: str) -> None:
    client = Client(PAGES)
    assert getattr(lists, name)(client) == [1, 2, 3]
    assert client.asked == [(method, ""), (method, "a"), (method, "b")]


def test_a_list_without_an_end_ends() -> None:
    endless = Client({"": ([], "x"), "x": ([], "x")})
    with pytest.raises(MtdClientError) as raised:
        lists.devices(endless)
    assert (raised.value.reason, len(endless.asked)) == ("TOO_LONG", lists.MOST_PAGES)


def test_a_list_has_so_many_rows_at_most() -> None:
    client = Client({"": ([0] * 5000, "x"), "x": ([0] * 5000, "x")})
    with pytest.raises(MtdClientError, match="20,000 rows"):
        lists.sites(client)
    assert len(client.asked) == 5


def test_a_list_takes_so_long_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 100_000, 5))
    monkeypatch.setattr(lists.time, "monotonic", lambda: next(seconds))
    client = Client({"": ([0], "x"), "x": ([0], "x")})
    with pytest.raises(MtdClientError, match="longer than 60 s"):
        lists.credential_sets(client)
    assert len(client.asked) == 13
