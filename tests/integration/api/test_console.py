"""The console's pages at the HTTP door, and who may come in: on a real port."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import websockets

from mtd.core.errors import Retryable
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.api.desk import DEVICES, get, opened, until
from tests.unit.api.fakes import event

SCRIPT = "console.log('hello');\n" * 100

# -- files ------------------------------------------------------------------------


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>mtd</title>")
    (folder / "assets/main-1a2b.js").write_text(SCRIPT)
    (tmp_path / "secret.txt").write_text("hidden away")
    return folder


def test_files_with_their_heads(dist: Path) -> None:
    async def main() -> None:
        async with opened(dist) as desk:
            status, heads, body = await get(desk, "/console/")
            assert (status, heads["content-type"]) == (200, "text/html; charset=utf-8")
            assert heads["cache-control"] == "no-cache"
            assert b"<title>mtd" in body
            assert (await get(desk, "/console/", if_none_match=heads["etag"]))[0] == 304
            status, heads, body = await get(desk, "/console/assets/main-1a2b.js", accept_encoding="br, gzip")
            assert heads["content-type"] == "text/javascript; charset=utf-8"
            assert "immutable" in heads["cache-control"]
            assert heads["content-encoding"] == "gzip"
            assert len(body) == int(heads["content-length"]) < len(SCRIPT)
            _, heads, body = await get(desk, "/console/assets/main-1a2b.js")
            assert "content-encoding" not in heads
            assert body.decode() == SCRIPT
            assert (await get(desk, "/console", method="HEAD"))[1]["location"] == "/console/"
            assert (await get(desk, "/", accept="text/html,*/*"))[1]["location"] == "/console/"
            assert b"/console/" in (await get(desk, "/"))[2]

    run_async(main())


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("*", True), ("gzip;q=0", False), ("br, gzip;q=0.0", False),
     ("identity", False), ("", False), ("x-gzipped", False)],
)  # fmt: skip
def test_files_are_packed_for_those_who_take_it(dist: Path, accepted: str, packed: bool) -> None:
    async def main() -> None:
        async with opened(dist) as desk:
            _, heads, _ = await get(desk, "/console/assets/main-1a2b.js", accept_encoding=accepted)
            assert ("content-encoding" in heads) == packed

    run_async(main())


def test_each_coding_of_a_file_has_its_own_tag(dist: Path) -> None:
    async def main() -> None:
        async with opened(dist) as desk:
            path = "/console/assets/main-1a2b.js"
            plain = (await get(desk, path))[1]["etag"]
            packed = (await get(desk, path, accept_encoding="gzip"))[1]["etag"]
            assert plain != packed
            for given, status in (
                (plain, 304), (f'"other", W/{plain}', 304), ("*", 304), (packed, 200), ('"other"', 200),
                (plain.strip('"')[:-1], 200), (f'"x{plain[1:]}', 200),
            ):  # fmt: skip
                assert (await get(desk, path, if_none_match=given))[0] == status, given
            assert (await get(desk, path, if_none_match=packed, accept_encoding="gzip"))[0] == 304

    run_async(main())


@pytest.mark.parametrize(
    "path",
    ["/console/../secret.txt", "/console/assets/../../secret.txt", "/console/%2e%2e/secret.txt",
     "/console/assets/..%2f..%2fsecret.txt", "/console/assets/%00", "/console//etc/passwd", "/console/assets/"],
)  # fmt: skip
def test_nothing_but_the_files_is_served(dist: Path, path: str) -> None:
    async def main() -> None:
        async with opened(dist) as desk:
            status, _, body = await get(desk, path)
            assert status in (404, 308)  # the second: to the path with single slashes
            assert b"hidden away" not in body

    run_async(main())


def test_a_console_that_is_not_built_says_so() -> None:
    async def main() -> None:
        async with opened() as desk:
            status, heads, body = await get(desk, "/console/")
            assert (status, heads["content-type"]) == (503, "text/plain; charset=utf-8")
            assert b"scripts/build_console" in body

    run_async(main())


def test_every_answer_has_the_security_heads(dist: Path) -> None:
    async def main() -> None:
        async with opened(dist) as desk:
            paths = ["/console/", "/console/assets/main-1a2b.js", "/console/no", "/console/live",
                     "/console/api/v1/catalogue", "/console/api/v1/no"]  # fmt: skip
            answers = [await get(desk, path) for path in paths]
            answers.append(await get(desk, "/console/", Host="evil.example"))
            for _, heads, _ in answers:
                policy = heads["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert heads["x-content-type-options"] == "nosniff"
                assert heads["referrer-policy"] == "no-referrer"
                assert heads["cross-origin-opener-policy"] == "same-origin"
                assert heads["cross-origin-resource-policy"] == "same-origin"

    run_async(main())


def test_pages_of_json_and_their_errors() -> None:
    async def main() -> None:
        async with opened() as desk:
            desk.backend.events = [event(3)]
            status, heads, body = await get(desk, "/console/api/v1/events?limit=5")
            assert (status, heads["content-type"], heads["cache-control"]) == (
                200,
                "application/json",
                "no-store",
            )
            assert json.loads(body)["events"][0]["position"] == 3
            for path, code in (
                ("events?limit=x", 400), ("no", 404), ("devices/x", 404), (f"devices/{DEVICES[0]}", 404),
            ):  # fmt: skip
                status, _, body = await get(desk, f"/console/api/v1/{path}")
                assert status == code
                assert set(json.loads(body)) == {"error", "hint"}
            desk.backend.failures = [Retryable("PostgreSQL is away")]
            status, _, body = await get(desk, "/console/api/v1/events")
            assert (status, json.loads(body)["error"]) == (503, "PostgreSQL is away")
            desk.backend.failures = [TimeoutError()]
            assert (await get(desk, "/console/api/v1/events"))[0] == 504
            assert json.loads((await get(desk, "/console/api/v1/self"))[2])["version"] == "1.2.3"
            route = "/console/api/v1/devices/ID"
            assert metric("mtd_api_http_requests_total", route=route, code="404") >= 2

    run_async(main())


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/console/%ff", 400), ("GET", "/console/api/v1/%c3%28", 400), ("POST", "/console/api/v1/events", 405),
     ("PUT", "/console/", 405), ("DELETE", "/console", 405), ("GET", "/console//etc", 308)],
)  # fmt: skip
def test_what_is_no_request_of_ours_is_told_as_json(
    caplog: pytest.LogCaptureFixture, method: str, path: str, code: int
) -> None:
    async def main() -> None:
        async with opened() as desk:
            status, heads, body = await get(desk, path, method=method)
            assert (status, heads["content-type"]) == (code, "application/json")
            assert heads["cache-control"] == "no-store"
            assert set(json.loads(body)) == {"error", "hint"}
            assert ("allow" in heads) == (code == 405)
            assert ("location" in heads) == (code == 308)
            assert not caplog.records

    run_async(main())


# -- who may come in --------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:PORT", 200), ("localhost:PORT", 200), ("LOCALHOST:PORT", 200), ("[::1]:PORT", 200), ("127.0.0.2:PORT", 200),
     ("evil.example:PORT", 403), ("localhost:1", 403), ("localhost", 403), ("127.0.0.1.evil.example:PORT", 403),
     ("", 403), ("noc.example.net", 302), ("noc.example.net:443", 302), ("noc.example.net:8443", 403),
     ("wall.example.net:8443", 302), ("wall.example.net", 403)],
)  # fmt: skip
def test_only_names_of_ours(dist: Path, host: str, status: int) -> None:
    async def main() -> None:
        async with opened(dist, {"allowed_hosts": ["noc.example.net", "wall.example.net:8443"]}) as desk:
            before = metric("mtd_api_http_requests_refused_total", reason="host")
            name = host.replace("PORT", str(desk.server.port))
            assert (await get(desk, "/console/", Host=name))[0] == status
            # By a name that isn't this machine's own, people log in, whatever the address that they come from.
            data = 401 if status == 302 else status
            assert (await get(desk, "/console/api/v1/catalogue", Host=name))[0] == data
            assert metric("mtd_api_http_requests_refused_total", reason="host") == before + (
                2 if status == 403 else 0
            )

    run_async(main())


def test_a_loopback_name_is_allowed_on_the_ports_that_are_named(dist: Path) -> None:
    async def main() -> None:
        async with opened(dist, {"allowed_hosts": ["localhost", "127.0.0.1:8080"]}) as desk:
            before = metric("mtd_api_http_requests_refused_total", reason="origin")
            for host, status in (
                ("localhost", 200), ("localhost:443", 200), ("127.0.0.1:8080", 200), ("127.0.0.1:80", 403), ("localhost:3000", 403),
            ):  # fmt: skip
                assert (await get(desk, "/console/", Host=host))[0] == status
            with pytest.raises(websockets.InvalidStatus):
                await desk.connect(origin="http://localhost:3000")
            assert metric("mtd_api_http_requests_refused_total", reason="origin") == before + 1
            async with desk.connect(origin="http://localhost") as socket:
                assert json.loads(await socket.recv())["type"] == "hello"

    run_async(main())


def test_a_page_of_someone_else_opens_no_channel() -> None:
    async def main() -> None:
        async with opened(http={"allowed_hosts": ["noc.example.net"]}) as desk:
            for origin in (
                "http://evil.example",
                "null",
                "http://[",
                "http://[::1",
                "http://localhost:1",
                "https://noc.example.net.evil.example",
            ):
                with pytest.raises(websockets.InvalidStatus) as refused:
                    await desk.connect(origin=origin)
                assert refused.value.response.status_code == 403
                assert "hint" in json.loads(refused.value.response.body)
            for origin in (f"http://{desk.host}", "https://noc.example.net"):
                async with desk.connect(origin=origin) as socket:
                    assert json.loads(await socket.recv())["type"] == "hello"
            with pytest.raises(websockets.InvalidStatus) as refused:
                await desk.connect(additional_headers={"Host": "evil.example"})
            assert refused.value.response.status_code == 403

    run_async(main())


def test_no_more_consoles_than_are_allowed() -> None:
    async def main() -> None:
        async with opened(max_viewers=1) as desk:
            async with desk.connect() as socket:
                assert json.loads(await socket.recv())["type"] == "hello"
                with pytest.raises(websockets.InvalidStatus) as refused:
                    await desk.connect()
                assert refused.value.response.status_code == 503
            await until(lambda: not desk.worlds.full)
            async with desk.connect() as socket:
                assert json.loads(await socket.recv())["type"] == "hello"

    run_async(main())
