"""The bench of log lines: what it sends, and what it holds to be wrong."""

from __future__ import annotations

import socket
from typing import Any

from mtd.codec.syslog import read_line
from mtd.listeners.syslog.reading import load_rules
from mtd.testing.syslog.lines import address_of, lines_of, name_of
from mtd.testing.syslog.run import judge
from mtd.testing.syslog.sender import main as send


def test_lines_are_those_of_routers_and_the_same_each_time() -> None:
    told = lines_of(4, 300)
    assert [len(some) for some in told] == [300] * 4
    assert lines_of(4, 300)[0] == told[0]
    assert told[0] != told[2]
    rules = load_rules()
    for sender, some in enumerate(told):
        read = [read_line(line, names=(name_of(sender).encode(),)) for line in some]
        understood = sum(rules.find(line.topics, line.text, name_of(sender)) is not None for line in read)
        assert 0.9 < understood / len(read) < 1
        if sender % 2:
            assert {line.host for line in read} == {name_of(sender)}
        else:
            assert all(line.topics for line in read)


def test_all_that_is_to_be_sent_is_sent_from_each_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(5)
        told = send(made.getsockname()[1], 1000.0, 0.1, 4)
        came = [made.recvfrom(2000)[1][0] for _ in range(100)]
    assert (told["sent"], told["unsent"]) == (100, 0)
    assert {address: came.count(address) for address in came} == {address_of(n): 25 for n in range(4)}


def phase(unaccounted: int = 0, **lost: int) -> dict[str, Any]:
    return {"unaccounted": unaccounted, "lost": lost}


def test_what_is_neither_stored_nor_counted_is_wrong_and_so_is_a_loss_at_the_steady_rate() -> None:
    assert judge({"mtd": {"steady": phase(), "burst": phase(kernel=5)}}) == []
    (problem,) = judge({"mtd": {"steady": phase(kernel=2, inbox_full=1), "burst": phase()}})
    assert problem.startswith("steady: 3 lines were lost")
    (problem,) = judge({"mtd": {"steady": phase(), "burst": phase(unaccounted=4)}})
    assert problem == "burst: 4 lines are neither stored nor counted"
