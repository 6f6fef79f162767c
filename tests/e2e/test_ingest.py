"""What programs send arrives where what is polled does: over HTTP, over gRPC, signed or with a token."""

from __future__ import annotations

import datetime as dt
import gzip
import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtd.client import MtdClientError, ingest
from mtd.ingest.push.keyring import sign
from mtd.testing.missing import skip_without
from tests.e2e.kit import Rig, folder, run, wait_for

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
CPU = "system.cpu.load_pct"
MOST = 200_000


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.code = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read()
        self.body: Any = json.loads(body) if body else None


def post(stage: Rig, path: str, body: bytes, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", stage.http_port, timeout=30)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", path, body, {"Content-Type": "application/json", **given})
    try:
        return Answer(connection.getresponse())
    finally:
        connection.close()


def signed(stage: Rig, body: bytes, path: str = "/ingest/v1/batch", **more: str) -> dict[str, str]:
    key_id, secret = stage.notes["key"]
    at, nonce = str(int(time.time())), secrets.token_urlsafe(16)
    return {
        "X_Mtd_Key": key_id,
        "X_Mtd_Timestamp": at,
        "X_Mtd_Nonce": nonce,
        "X_Mtd_Signature": sign(secret.encode(), "POST", path, at, nonce, body),
    } | more


def batch(*samples: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"schema_version": 1, "samples": samples, **more}).encode()


def sample(value: float, ago_s: int = 0, device: str = "pushed", **metrics: Any) -> dict[str, Any]:
    at = NOW - dt.timedelta(seconds=ago_s)
    return {"device_uid": device, "ts": at.isoformat(), "metrics": metrics or {CPU: value}}


@pytest.fixture(scope="module")
def stage() -> Iterator[Rig]:
    with folder() as path, Rig(path, settings={"ingest": {"max_body_bytes": MOST}}) as one:
        one.start_daemon()
        for name in ("pushed", "other"):
            one.mtd("device", "add", name, "127.0.0.1", "--user", "x", "--password", "y")
            one.mtd("device", "set", name, "enabled=false")
        made = one.mtd("ingest-key", "add", "billing", "--json").json()
        one.notes["key"] = (made["key"]["key_id"], made["secret"])
        # The door follows the keys: a moment after a command made one, its signatures are good.
        wait_for(lambda: one.metric("mtd_ingest_push_keys") == 1, "the key is known")
        try:
            yield one
        finally:
            sys.stdout.write(one.daemon.tail(60) if one.daemon else "no daemon")


def points(stage: Rig, key: str, device: str = "pushed") -> dict[int, float]:
    """Return what QueryRange has of a series, by seconds before NOW."""
    start, end = NOW - dt.timedelta(hours=1), NOW + dt.timedelta(minutes=1)
    with stage.client() as client:
        found = client.query_range(device, [key], start=start, end=end)
    return {
        round(NOW.timestamp() - at_us / 1e6): value
        for series in found.series
        for at_us, value in zip(series.times_us, series.values, strict=True)
    }


def test_ingest_of_a_signed_batch_ends_in_the_history(stage: Rig) -> None:
    body = gzip.compress(batch(sample(41.5, 20), sample(42.5, 10)))
    answer = post(stage, "/ingest/v1/batch", body, Content_Encoding="gzip", **signed(stage, body))
    assert (answer.code, answer.body["accepted"], answer.body["results"]) == (202, 2, [])
    assert wait_for(lambda: points(stage, CPU), "points of what was sent") == {20: 41.5, 10: 42.5}
    again = post(stage, "/ingest/v1/batch", body, Content_Encoding="gzip", **signed(stage, body))
    assert (again.code, again.body["duplicate"], again.body["accepted"]) == (202, True, 0)
    # As if it had been polled: the newest value, the view for SQL, and the command.
    rows = stage.sql("SELECT key, value FROM metric_latest WHERE device = 'pushed' AND metric = %s", CPU)
    assert rows == [(CPU, 42.5)]
    assert stage.value("SELECT count(*) FROM telemetry WHERE device = 'pushed' AND metric = %s", CPU) == 2
    assert (
        stage.value(
            "SELECT poll_group FROM latest WHERE device_id = (SELECT device_id FROM device WHERE name = 'pushed')"
        )
        == "push:billing"
    )


def test_ingest_tells_of_each_row_that_is_wrong_and_takes_the_others(stage: Rig) -> None:
    body = batch(
        sample(1.0, 101),
        sample(1.0, 102, device="nobody"),
        sample(1.0, -3600),
        sample(1.0, 200 * 86_400),
        sample(0, 103, **{"no.such.key": 1}),
        sample(0, 104, **{CPU: "up"}),
        sample(0, 105, **{"iface.ether1.rx_bytes_total": 1.5}),
        sample(2.0, 101),
        {"device_uid": "pushed", "ts": "yesterday", "metrics": {CPU: 1}},
    )
    answer = post(stage, "/ingest/v1/batch", body, **signed(stage, body))
    assert (answer.code, answer.body["accepted"], answer.body["refused"]) == (202, 1, 8)
    assert {one["row"]: one["reason"] for one in answer.body["results"]} == {
        "samples/1": "unknown_device",
        "samples/2": "future",
        "samples/3": "too_old",
        "samples/4": "unknown_metric",
        "samples/5": "wrong_kind",
        "samples/6": "wrong_kind",
        "samples/7": "repeated",
        "samples/8": "bad_time",
    }
    nothing = batch(sample(1.0, 102, device="nobody"))
    answer = post(stage, "/ingest/v1/batch", nothing, **signed(stage, nothing))
    assert answer.code == 400
    assert [one["reason"] for one in answer.body["results"]] == ["unknown_device"]


def test_ingest_keeps_counters_exact_and_names_states_and_interfaces(stage: Rig) -> None:
    exact = 2**53 + 1
    body = batch(
        sample(0, 300, **{"iface.ether1.rx_bytes_total": exact, "iface.ether1.oper_state": "up"}),
    )
    answer = post(stage, "/ingest/v1/batch", body, **signed(stage, body))
    assert (answer.code, answer.body["accepted"]) == (202, 1), answer.body
    assert wait_for(lambda: points(stage, "iface.ether1.rx_bytes_total"), "the counter") == {300: exact}
    assert points(stage, "iface.ether1.oper_state") == {300: 1.0}


def test_ingest_stores_an_event_once_however_often_it_is_sent(stage: Rig) -> None:
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    at = NOW.timestamp() - 5

    def event(event_id: str, **more: Any) -> dict[str, Any]:
        return {"id": event_id, "device_uid": "pushed", "ts": at, "event_type": "billing.suspended", **more}

    first = batch(events=[event(one, message="once", severity="critical")])
    answer = post(stage, "/ingest/v1/batch", first, **signed(stage, first))
    assert (answer.code, answer.body["accepted"]) == (202, 1), answer.body
    second = batch(events=[event(one, message="twice"), event(two), event(two)])
    answer = post(stage, "/ingest/v1/batch", second, **signed(stage, second))
    assert (answer.body["accepted"], answer.body["duplicates"]) == (1, 2)
    assert [row["row"] for row in answer.body["results"]] == ["events/2", "events/0"]

    def stored() -> list[tuple[Any, ...]]:
        return stage.sql(
            "SELECT message, severity, entity_type FROM event WHERE event_type = 'billing.suspended' ORDER BY position"
        )

    wait_for(lambda: len(stored()) == 2, "both events")
    assert stored() == [("once", 3, "device"), ("", 1, "device")]
    assert [found["message"] for found in stage.events("--device", "pushed")][-2:] == ["once", ""]


def test_ingest_over_grpc_is_the_same_door(stage: Rig) -> None:
    when = NOW - dt.timedelta(seconds=30)
    with stage.client() as client:
        sent = client.ask(
            ingest.send(
                [ingest.Sample("other", when, {CPU: 12.5}), ingest.Sample("nobody", when, {CPU: 1})],
                [ingest.Event(str(uuid.uuid4()), "other", when, "billing.resumed")],
                group="slow",
            )
        )
        assert (sent.accepted, sent.refused) == (2, 1)
        assert [(row.row, row.reason) for row in sent.rows] == [("samples/1", "unknown_device")]
        with pytest.raises(MtdClientError, match="no row of the batch") as refused:
            client.ask(ingest.send([ingest.Sample("other", when, {CPU: float("nan")})]))
        assert refused.value.code == "INVALID_ARGUMENT"
    assert wait_for(lambda: points(stage, CPU, "other"), "what was sent by gRPC") == {30: 12.5}
    groups = stage.sql("SELECT poll_group FROM series_layout WHERE poll_group LIKE 'push:%%/slow'")
    assert groups == [("push:local/slow",)]


def test_ingest_refuses_who_proves_nothing(stage: Rig) -> None:
    body = batch(sample(9.0, 400))
    good = signed(stage, body)
    wrong = {
        "another body": signed(stage, body + b" "),
        "another path": signed(stage, body, path="/ingest/v1/heartbeat"),
        "another key": good | {"X_Mtd_Key": "ik_nobody"},
        "another nonce": good | {"X_Mtd_Nonce": "x" * 20},
        "no nonce": good | {"X_Mtd_Nonce": ""},
        "no signature": good | {"X_Mtd_Signature": ""},
        "a token of nobody's": {"Authorization": "Bearer mtd_nobodys"},
    }
    for what, headers in wrong.items():
        answer = post(stage, "/ingest/v1/batch", body, **headers)
        assert (answer.code, what) == (401, what), answer.body
        assert answer.body["hint"]
    # By whatever name a program calls: what it shows is what counts.
    assert post(stage, "/ingest/v1/batch", body, Host="mtd.isp.example", **good).code == 202
    replayed = post(stage, "/ingest/v1/batch", body, **good)
    assert (replayed.code, replayed.body["error"]) == (
        401,
        "the nonce was used before: sign each request anew",
    )
    # A browser that was lured here has nothing to show; one that has is still a page of somebody else.
    assert post(stage, "/ingest/v1/batch", body, Host="evil.example").code == 403
    assert (
        post(stage, "/ingest/v1/batch", body, Origin="http://evil.example", **signed(stage, body)).code == 403
    )
    audited = stage.mtd("audit", "list", "--all-tenants", "--json").lines()
    assert any(
        "IngestService/Ingest" in json.dumps(entry) and "key=" in json.dumps(entry) for entry in audited
    )


def test_ingest_takes_a_token_that_was_made_for_it_and_no_other(stage: Rig) -> None:
    body = batch(sample(5.0, 500))
    given = {}
    for name, scope, role in (("feed", "ingest.write", "viewer"), ("looker", "telemetry.read", "admin")):
        made = stage.mtd("token", "add", name, "--scope", scope, "--role", role, "--json").json()
        given[name] = post(stage, "/ingest/v1/batch", body, Authorization=f"Bearer {made['secret']}")
    assert given["feed"].code == 202
    assert given["looker"].code == 403
    everything = stage.mtd("token", "add", "all", "--scope", "*", "--role", "viewer", "--json").json()
    answer = post(stage, "/ingest/v1/batch", body, Authorization=f"Bearer {everything['secret']}")
    assert answer.code == 403  # who may only look sends nothing


def test_ingest_refuses_bodies_that_are_too_long_or_of_another_kind(stage: Rig) -> None:
    long = b" " * (MOST + 1)
    answer = post(stage, "/ingest/v1/batch", long, **signed(stage, long))
    assert (answer.code, answer.headers["connection"]) == (413, "close")
    bomb = gzip.compress(b" " * (65 * 1024 * 1024))
    assert len(bomb) < MOST
    assert post(stage, "/ingest/v1/batch", bomb, Content_Encoding="gzip", **signed(stage, bomb)).code == 413
    body = batch(sample(1.0, 600))
    for headers in ({"Content_Type": "text/plain"}, {"Content_Encoding": "br"}):
        connection = post(stage, "/ingest/v1/batch", body, **signed(stage, body) | headers)
        assert connection.code == 415
    for wrong in (b"{", b"[]", b"7", b'{"samples": 3}', b'{"schema_version": 2, "samples": []}', b"\xff"):
        assert post(stage, "/ingest/v1/batch", wrong, **signed(stage, wrong)).code == 400
    not_gzip = post(stage, "/ingest/v1/batch", body, Content_Encoding="gzip", **signed(stage, body))
    assert not_gzip.code == 400


def test_ingest_reads_a_large_batch_in_a_process_of_its_own(stage: Rig) -> None:
    rows = [sample(float(number), 3000 - number % 1000, **{CPU: number}) for number in range(1000)]
    rows += [
        sample(0, 2000 - number, **{f"iface.e{one}.rx_bytes_total": number for one in range(12)})
        for number in range(600)
    ]
    plain = batch(*rows)
    assert len(plain) > 256 * 1024
    body = gzip.compress(plain)
    answer = post(stage, "/ingest/v1/batch", body, Content_Encoding="gzip", **signed(stage, body))
    assert (answer.code, answer.body["accepted"], answer.body["results"]) == (202, 1600, [])


def test_ingest_heartbeats_tell_how_a_sender_is(stage: Rig) -> None:
    beat = json.dumps(
        {
            "agent": {"name": "billing-1", "version": "2.0", "capabilities": ["x"]},
            "buffer_depth": 7,
            "sent_at": dt.datetime.now(dt.UTC).isoformat(),
        }
    ).encode()
    path = "/ingest/v1/heartbeat"
    answer = post(stage, path, beat, **signed(stage, beat, path))
    assert answer.code == 200, answer.body
    assert abs(answer.body["clock_ahead_s"]) < 30
    assert stage.sql("SELECT agent, version, capabilities, buffer_depth FROM ingest_agent") == [
        ("billing-1", "2.0", ["x"], 7)
    ]
    assert post(stage, path, b"{}", **signed(stage, b"{}", path)).code == 400
    assert post(stage, path, beat, Authorization="Bearer mtd_no").code == 401


def test_ingest_keys_are_rotated_and_revoked(stage: Rig) -> None:
    made = stage.mtd("ingest-key", "add", "feeds", "--json").json()
    old = made["secret"]
    new = stage.mtd("ingest-key", "rotate", "feeds", "--overlap", "1h", "--json").json()["secret"]
    body = batch(sample(5.0, 700))

    def code(secret: str) -> int:
        kept, stage.notes["key"] = stage.notes["key"], (made["key"]["key_id"], secret)
        try:
            return post(stage, "/ingest/v1/batch", body, **signed(stage, body)).code
        finally:
            stage.notes["key"] = kept

    wait_for(lambda: code(new) == 202, "the new secret to be known")
    assert code(old) == 202
    shown = stage.mtd("ingest-key", "list").out
    assert "the old secret until" in shown
    assert new not in shown
    stage.mtd("ingest-key", "rotate", "feeds", "--overlap", "0s")
    wait_for(lambda: code(new) == 401, "both secrets before to be gone")
    assert code(old) == 401
    out = stage.folder / "feeds.key"
    stage.mtd("ingest-key", "rotate", "feeds", "--out", str(out))
    assert out.stat().st_mode & 0o077 == 0
    secret = out.read_text().strip()
    wait_for(lambda: code(secret) == 202, "the newest secret to be known")
    stage.mtd("ingest-key", "revoke", "feeds")
    wait_for(lambda: code(secret) == 401, "the key to be gone")
    assert "feeds" not in stage.mtd("ingest-key", "list").out
    assert "revoked" in stage.mtd("ingest-key", "list", "--all").out
    assert not stage.value("SELECT count(*) FROM ingest_key_secret WHERE key_id = %s", made["key"]["key_id"])
    assert secret not in stage.daemon_log()


def test_ingest_is_watched_and_compacted_like_what_is_polled(stage: Rig) -> None:
    hours = 3 * 3600
    rows = [
        sample(0, hours + ago, device="other", **{CPU: ago, "iface.e1.rx_bytes_total": 2**53 + 1 - ago})
        for ago in range(60)
    ]
    body = batch(*rows, sample(77.0, device="other"))
    assert post(stage, "/ingest/v1/batch", body, **signed(stage, body)).body["accepted"] == 61
    with stage.client() as client:
        for seen in client.watch(devices=["other"], metrics=[CPU]):
            assert seen.device == "other"
            if seen.value == 77.0:
                break

    def stored() -> dict[int, float]:
        start = NOW - dt.timedelta(hours=4)
        with stage.client() as client:
            found = client.query_range(
                "other", ["iface.e1.rx_bytes_total"], start=start, end=NOW - dt.timedelta(hours=2)
            )
        return {
            round(NOW.timestamp() - at_us / 1e6) - hours: value
            for series in found.series
            for at_us, value in zip(series.times_us, series.values, strict=True)
        }

    wanted = {ago: 2**53 + 1 - ago for ago in range(60)}
    wait_for(lambda: len(stored()) == 60, "what was sent")
    stage.mtd("storage", "compact", timeout_s=60)
    blocks = "SELECT count(*) FROM telemetry_block b JOIN series s USING (series_id) WHERE s.poll_group = 'push:billing'"
    wait_for(lambda: stage.value(blocks) > 0, "blocks of what was sent", timeout_s=30)
    assert stored() == wanted
    assert stage.value("SELECT count(*) FROM rollup_1m") > 0


def guide(language: str, holding: str) -> str:
    """Return the example of the guide that holds something."""
    text = (Path(__file__).resolve().parents[2] / "docs/ingest.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return str(found)


def test_ingest_examples_of_the_guide_work(stage: Rig) -> None:
    stage.mtd("device", "add", "core-1", "127.0.0.1", "--user", "x", "--password", "y")
    stage.mtd("device", "set", "core-1", "enabled=false")
    key_id, secret = stage.notes["key"]
    (stage.folder / "billing.key").write_text(secret + "\n")
    token = stage.mtd("token", "add", "guide", "--scope", "ingest.write", "--json").json()["secret"]
    environment = {
        "MTD_URL": f"http://127.0.0.1:{stage.http_port}",
        "MTD_KEY_ID": key_id,
        "MTD_KEY_FILE": str(stage.folder / "billing.key"),
        "MTD_SERVER": stage.server,
        "MTD_TOKEN": token,
    }
    told = run("-c", guide("python", "hmac.new"), environment=environment).out
    assert "'accepted': 1" in told
    told = run("-c", guide("python", "MtdClient"), environment=environment).out
    assert "accepted=1" in told
    if not (shutil.which("curl") and shutil.which("openssl")):
        skip_without("curl and openssl are not there")
    (stage.folder / "batch.json").write_bytes(batch(sample(3.5, 12, device="core-1")))
    done = subprocess.run(
        ["sh", "-c", guide("sh", "openssl dgst")],
        cwd=stage.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert json.loads(done.stdout)["accepted"] == 1, done
    assert len(wait_for(lambda: points(stage, CPU, "core-1"), "what the guide sent")) >= 1


def test_ingest_over_the_quota_of_the_tenant_is_told_when_to_come_again(stage: Rig) -> None:
    stage.mtd("tenant", "set", "default", "--ingest-points-per-s", "1")
    try:

        def refused() -> Answer | None:
            body = batch(*(sample(1.0, 10_000 + secrets.randbelow(10**6)) for _ in range(50)))
            answer = post(stage, "/ingest/v1/batch", body, **signed(stage, body))
            return answer if answer.code == 429 else None

        answer = wait_for(refused, "the quota to be used up")
        assert int(answer.headers["retry-after"]) >= 1
        assert "the tenant has sent more than 1 values per second" in answer.body["error"]
        limited = 'mtd_ingest_push_limited_total{limit="tenant_values"}'
        assert limited in stage.http("/metrics")
    finally:
        stage.mtd("tenant", "set", "default", "--ingest-points-per-s", "none")
