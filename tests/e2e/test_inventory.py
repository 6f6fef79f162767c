"""Routers come, change and go while the daemon runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from mtd.client import MtdClientError
from tests.e2e.kit import Rig, pause, rig, wait_for

# What is changed must be in force within two seconds; then comes the first poll, within one more.
PICKED_UP_S = 2.0
POLLED_S = PICKED_UP_S + 1.5


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig("fleet", "--routers", "6", "--interfaces", "4") as stage:
        yield stage


def login(stage: Rig, router: str) -> list[str]:
    found = stage.routers[router]
    address = ["--port", str(found["port"]), "--tls", found["client_tls"]]
    return [*address, "--user", found["username"], "--password", found["password"]]


def took(condition: Callable[[], object], what: str) -> float:
    started = time.monotonic()
    wait_for(condition, what, every_s=0.05)
    return time.monotonic() - started


def frames(stage: Rig, device: str) -> int:
    """Return how many live frames of a device were collected within the last second."""
    return int(
        stage.value(
            "SELECT count(*) FROM telemetry_frame f JOIN device d USING (tenant_id, device_id)"
            " WHERE d.name = %s AND f.ts_collected > clock_timestamp() - interval '1 second'",
            device,
        )
    )


def test_a_router_s_life_in_the_inventory(running: Rig) -> None:
    added = running.mtd("device", "add", "a", "127.0.0.1", *login(running, "lab-0001"), "--json").json()
    assert added[0]["name"] == "a"
    assert took(lambda: "a" in running.collected(), "polled") < POLLED_S

    running.mtd("device", "set", "a", "enabled=false", "--json")
    assert took(lambda: running.devices()["a"]["status"] == "disabled", "disabled") < POLLED_S
    pause(PICKED_UP_S)
    assert frames(running, "a") == 0

    running.mtd("device", "set", "a", "enabled=true", "--json")
    assert took(lambda: frames(running, "a"), "polled again") < POLLED_S
    wait_for(lambda: running.devices()["a"]["status"] == "up", "up again")

    with running.client() as client:
        client.update_device("a", password="not this one")
        assert (
            took(lambda: running.devices()["a"]["status"] == "down", "the new password is in use") < POLLED_S
        )
        assert "password" in running.devices()["a"]["status_reason"]
        client.update_device("a", password=running.routers["lab-0001"]["password"])
        assert (
            took(lambda: running.devices()["a"]["status"] == "up", "the right password is in use") < POLLED_S
        )

        with pytest.raises(MtdClientError, match="already"):
            client.create_device(name="a", host="127.0.0.1", username="x", password="y")
        read = client.get_device("a")
        client.update_device("a", notes="changed meanwhile", revision=read.revision)
        with pytest.raises(MtdClientError, match="revision"):
            client.update_device("a", notes="by one who didn't see it", revision=read.revision)

    answer = running.mtd("device", "remove", "a")
    assert "a is removed" in answer.out
    assert "a" not in running.devices()
    assert running.value("SELECT count(*) FROM latest JOIN device USING (device_id) WHERE name = 'a'") == 0
    before = running.value("SELECT max(seq) FROM telemetry_frame WHERE device_id = %s", read.id)
    pause(PICKED_UP_S)
    between = running.value("SELECT max(seq) FROM telemetry_frame WHERE device_id = %s", read.id)
    pause(1.5)
    assert between == running.value("SELECT max(seq) FROM telemetry_frame WHERE device_id = %s", read.id)
    assert before, "what was observed stays"
    for command in (("device", "show", "a"), ("device", "remove", "a"), ("device", "test", "a")):
        assert "'a'" in running.mtd(*command, code=1).err
    running.verify()


def test_a_file_of_routers(running: Rig) -> None:
    good = [running.routers[f"lab-000{number}"] for number in (2, 3, 4)]
    header = "name,host,port,username,password,tls_mode,interface_naming,label:site,notes"
    lines = [
        header,
        *(
            f'csv-{n},{r["host"]},{r["port"]},mtd,{r["password"]},,both,Graz,"a, b"'
            for n, r in enumerate(good)
        ),
        "csv-0,127.0.0.1,8728,mtd,x,,,,",  # a name that is taken
        "odd,127.0.0.1,8728,mtd,x,sometimes,,,",  # no such mode
        "",
    ]
    path = running.folder / "routers.csv"
    path.write_text("\n".join(lines))
    report = running.mtd("device", "import", str(path), "--json", code=1).json()
    assert report["added"] == 3
    assert [(failure["line"], failure["name"]) for failure in report["failed"]] == [(5, "csv-0"), (6, "odd")]
    assert all(failure["error"] for failure in report["failed"])
    names = [f"csv-{number}" for number in range(3)]
    running.wait_until_polled(*names, timeout_s=POLLED_S)
    found = running.devices()["csv-1"]
    assert (found["labels"], found["notes"], found["interface_naming"]) == ({"site": "Graz"}, "a, b", "both")
    spoken = running.mtd("device", "import", str(path), code=1).out
    assert "line 6, odd" in spoken

    for text, says in (
        ("name,host,username\nx,y,z\n", "column 'password' is missing"),
        ("name,host,username,password,colour\n", "column 'colour' is not known"),
    ):
        path.write_text(text)
        assert says in running.mtd("device", "import", str(path), code=1).err
    path.write_text("name,host,username,password,port\na,b,c,d,e\n,b,c,d,1\nx,y,c,d,8728\n")
    report = running.mtd("device", "import", "--dry-run", str(path), "--json", code=1).json()
    assert [failure["line"] for failure in report["failed"]] == [2, 3]
    assert "'e' is not a number" in report["failed"][0]["error"]
    assert "name" in report["failed"][1]["error"]
    assert "x" not in running.devices()


def test_many_at_once_are_all_polled(running: Rig) -> None:
    """Added in a burst: no notification is lost, and none waits for the next change."""
    router = running.routers["lab-0005"]
    names = {f"burst-{number:03}" for number in range(150)}
    with running.client() as client:
        for name in sorted(names):
            client.create_device(
                name=name,
                host=router["host"],
                port=router["port"],
                username="mtd",
                password=router["password"],
            )
    wait_for(lambda: names <= set(running.collected()), "all of them are polled", timeout_s=25)
    with running.client() as client:
        for name in sorted(names):
            client.delete_device(name)
    wait_for(lambda: running.metric('mtd_scheduler_devices{status="up"}') == 3, "all of them are gone")


def test_capabilities_are_refreshed_on_demand(running: Rig) -> None:
    refreshed = running.mtd("device", "refresh", "csv-0", "--json").json()[0]
    assert refreshed["capabilities"]["ethernet"]
    assert refreshed["routeros_version"].startswith(running.routers["lab-0002"]["version"])
    assert "ether" in running.mtd("device", "show", "csv-0").out
