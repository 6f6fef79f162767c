"""A test of all ways: what each says, and which would serve."""

from __future__ import annotations

from dataclasses import replace

from mtd.model.device import Device, Outcome, RestSettings, Way
from mtd.sources.trial import ConnectionTest
from mtd.sources.way_trial import TestWay, WaysTest, try_ways
from mtd.testing import run_async
from tests.unit.sources.scripted_ways import DEVICE

OK = ConnectionTest(Outcome.OK, "core-1, CCR2004, RouterOS 7.16.2", identity="core-1")
REFUSED = ConnectionTest(Outcome.REFUSED, "nobody listens")


def tried(device: Device, told_rest: str = "", **results: ConnectionTest) -> tuple[WaysTest, list[Device]]:
    asked: list[Device] = []

    def tester(result: ConnectionTest) -> TestWay:
        async def test(aimed: Device) -> ConnectionTest:
            asked.append(aimed)
            return result

        return test

    testers = {Way(name): tester(result) for name, result in results.items()}
    return run_async(try_ways(device, testers, told_rest)), asked


def test_the_best_way_that_works_serves() -> None:
    result, _ = tried(DEVICE, api=REFUSED, rest=OK, snmp=OK)
    assert (result.outcome, result.serves) == (Outcome.OK, Way.REST)
    assert result.reason == "API refused: nobody listens; REST serves: core-1, CCR2004, RouterOS 7.16.2"
    assert result.told is OK
    assert [way for way, _ in result.tests] == list(Way)


def test_one_way_alone_says_no_more_than_it_did() -> None:
    alone = replace(DEVICE, rest=RestSettings(), snmp=None)
    assert tried(alone, api=OK)[0].reason == OK.reason
    result, _ = tried(alone, api=REFUSED)
    assert (result.outcome, result.reason, result.serves) == (Outcome.REFUSED, "nobody listens", None)


def test_rest_is_tried_where_the_router_said_it_is() -> None:
    device = replace(DEVICE, rest=RestSettings(0), snmp=None)
    assert len(tried(device, api=OK, rest=OK)[1]) == 1
    _, asked = tried(device, "www-ssl:8443", api=OK, rest=OK)
    assert asked[1].rest.port == 8443


def test_when_none_works_the_best_tells() -> None:
    result, _ = tried(DEVICE, api=REFUSED, rest=ConnectionTest(Outcome.TLS_FAILED, "no cipher"))
    assert (result.outcome, result.serves) == (Outcome.REFUSED, None)
    assert result.reason == "API refused: nobody listens; REST tls_failed: no cipher"


def test_without_a_way_it_says_what_to_set() -> None:
    result, _ = tried(replace(DEVICE, ways=(Way.REST,), rest=RestSettings(0)))
    assert (result.outcome, result.serves) == (Outcome.UNREACHABLE, None)
    assert "set a port of REST" in result.reason
