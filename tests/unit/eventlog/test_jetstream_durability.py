from __future__ import annotations

from typing import Any

import pytest

from mtd.eventlog.config import JetStreamConfig
from mtd.eventlog.jetstream import durability
from mtd.eventlog.jetstream.durability import DurabilityCheck, synced_of
from mtd.eventlog.jetstream.stream import StreamInfo
from mtd.testing import run_async


def varz(name: str, **config: Any) -> dict[str, Any]:
    return {"server_name": name, "jetstream": {"config": {"sync_interval": 120_000_000_000, **config}}}


@pytest.mark.parametrize(
    ("page", "synced"),
    [
        (varz("n", sync_always=True), True),
        (varz("n", sync_always=False), False),
        (varz("n"), False),
        ({"server_name": "n", "jetstream": {}}, False),
        ({"server_name": "n"}, False),
    ],
)
def test_what_a_server_tells(page: dict[str, Any], synced: bool) -> None:
    assert synced_of(page) == ("n", synced)


def stream(**servers: bool) -> StreamInfo:
    answer = {
        "config": {"max_bytes": 1, "num_replicas": len(servers)},
        "state": {"first_seq": 0, "last_seq": 0, "messages": 0, "bytes": 0},
        "created": "",
        "cluster": {
            "leader": "a",
            "replicas": [
                {"name": name, "offline": not there} for name, there in servers.items() if name != "a"
            ],
        },
    }
    return StreamInfo.of(answer)


class Pages:
    """What the servers' monitoring tells; a server that isn't in it doesn't answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **synced: bool) -> None:
        self.synced = synced
        urls = [f"http://{name}:8222" for name in ("a", "b", "c")]
        self.check = DurabilityCheck(JetStreamConfig(monitoring=urls))
        monkeypatch.setattr(durability, "_varz", self._varz)

    def _varz(self, url: str, timeout_s: float, context: object) -> tuple[str, bool]:
        name = url.removeprefix("http://").removesuffix(":8222")
        if name not in self.synced:
            raise OSError("refused")
        return name, self.synced[name]

    def ask(self) -> None:
        run_async(self.check.ask())


def test_all_that_keep_the_stream_have_to_write_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages(monkeypatch, a=True, b=True, c=False)
    pages.ask()
    assert pages.check.judge(stream(a=True, b=True)) == ""
    why = pages.check.judge(stream(a=True, b=True, c=True))
    assert why.startswith("c confirm before they have written")
    assert "jetstream { sync_interval: always }" in why


def test_who_is_away_is_judged_by_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages(monkeypatch, a=True, b=True)
    pages.ask()
    # c is away, and never said anything: it is asked when it is back.
    assert pages.check.judge(stream(a=True, b=True, c=False)) == ""
    assert "c doesn't tell" in pages.check.judge(stream(a=True, b=True, c=True))
    del pages.synced["b"]
    for _ in range(5):
        pages.ask()
    assert pages.check.judge(stream(a=True, b=False)) == ""
    # It is there again, but nobody can ask it how it writes now.
    assert "http://b:8222: refused" in pages.check.judge(stream(a=True, b=True))


def test_nobody_is_believed_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages(monkeypatch)
    pages.ask()
    assert "event_log.jetstream.monitoring" in pages.check.judge(stream(a=True))
    assert "event_log.jetstream.monitoring" in pages.check.judge(stream(a=False))


def test_a_stream_that_confirms_first_is_not_durable_whatever_its_servers_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages = Pages(monkeypatch, a=True)
    pages.ask()
    info = StreamInfo.of(
        {
            "config": {"max_bytes": 1, "num_replicas": 1, "persist_mode": "async"},
            "state": {"first_seq": 0, "last_seq": 0, "messages": 0, "bytes": 0},
            "created": "",
            "cluster": {"leader": "a"},
        }
    )
    assert "persist_mode" in pages.check.judge(info)
