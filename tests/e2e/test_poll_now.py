"""A router that is polled when somebody asks, and how it was over time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from mtd.client import MtdClient, MtdClientError, audit, identity, watching
from tests.e2e.kit import Rig, rig, wait_for

# Nothing but the first polls would come by itself within the test.
SELDOM = {"t0": 1.0, "t1": 600.0, "t2": 600.0, "t3": 600.0}


@pytest.fixture(scope="module")
def stage() -> Iterator[Rig]:
    lab = ("--routers", "2", "--interfaces", "4")
    with rig("fleet", *lab, settings={"scheduler.intervals_s": SELDOM}) as running:
        running.add_all()
        yield running


def polled(stage: Rig, device: str) -> dict[str, int]:
    """Return when each tier of a device was polled last, microseconds since the epoch."""
    rows = stage.sql(
        "SELECT l.poll_group, to_us(l.ts_collected) FROM latest l JOIN device d USING (tenant_id, device_id)"
        " WHERE d.name = %s",
        device,
    )
    return dict(rows)


def test_it_is_polled_at_once_and_the_values_are_there(stage: Rig) -> None:
    tiers = wait_for(lambda: len(was := polled(stage, "lab-0001")) > 1 and was, "its first polls")
    assert "t0" in tiers
    with stage.client() as client:
        first = client.poll_now("lab-0001")
        assert [one.tier for one in first.tiers] == ["t0", "t1", "t2", "t3"]
        assert first.tiers[0].result == "polled"
        assert first.tiers[0].commands > 0
        assert {one.result for one in first.tiers} <= {"polled", "fresh"}
        now = polled(stage, "lab-0001")
        for one in first.tiers:
            if one.result == "polled" and one.tier in tiers:
                assert now[one.tier] > tiers[one.tier]
        with pytest.raises(MtdClientError) as soon:
            client.poll_now("lab-0001")
        assert (soon.value.code, soon.value.reason) == ("RESOURCE_EXHAUSTED", "POLL_TOO_SOON")
        assert client.poll_now("lab-0002", tiers=["t0"]).tiers, "another's turn is another's"
        written = list(audit.exported(client, audit.Wanted(action="*/PollDevice")))
        assert [(one.target, one.outcome) for one in written] == [
            ("device=lab-0001", "OK"), ("device=lab-0001", "RESOURCE_EXHAUSTED"), ("device=lab-0002", "OK"),
        ]  # fmt: skip


def test_who_may_ask(stage: Rig) -> None:
    with stage.client() as client:
        tokens = {
            role: client.ask(identity.create_token(role, role=role, scopes=["*"])).secret
            for role in ("viewer", "operator")
        }
        client.ask(identity.create_tenant("other"))
    with MtdClient(stage.server, tenant="other") as client:
        stranger = client.ask(identity.create_token("stranger", role="admin", scopes=["*"])).secret
    with MtdClient(stage.server, token=tokens["viewer"]) as client:
        assert client.health("lab-0002").segments
        assert all(one.physical for one in client.ask(watching.interfaces("lab-0002")).interfaces)
        with pytest.raises(MtdClientError) as refused:
            client.poll_now("lab-0002")
        assert refused.value.code == "PERMISSION_DENIED"
    with MtdClient(stage.server, token=tokens["operator"]) as client:
        wait_for(lambda: _polls(client, "lab-0002"), "it may be asked again")
    with MtdClient(stage.server, token=stranger) as client:
        for ask in (client.poll_now, client.health):
            with pytest.raises(MtdClientError) as unknown:
                ask("lab-0002")
            assert unknown.value.code == "NOT_FOUND"


def _polls(client: MtdClient, device: str) -> bool:
    try:
        return bool(client.poll_now(device, tiers=["t0"]).tiers)
    except MtdClientError as error:
        if error.reason != "POLL_TOO_SOON":
            raise
        return False


def test_a_router_that_is_off_or_away_says_so_and_its_health_tells_since_when(stage: Rig) -> None:
    with stage.client() as client:
        with stage.control() as lab:
            lab.inject("lab-0002", "refused")
        wait_for(lambda: client.get_device("lab-0002").status == "down", "it is found to be down")
        with pytest.raises(MtdClientError) as away:
            client.poll_now("lab-0002")
        assert away.value.code == "UNAVAILABLE"
        assert "lab-0002 has no session" in str(away.value)
        segments = client.health("lab-0002", seconds=600).segments
        assert [one.status for one in segments] == ["unknown", "up", "down"]
        assert segments[-1].reason
        assert all(one.to_us == other.from_us for one, other in itertools.pairwise(segments))
        client.update_device("lab-0002", enabled=False)
        with pytest.raises(MtdClientError, match="is switched off") as off:
            client.poll_now("lab-0002")
        assert off.value.code == "INVALID_ARGUMENT"
