"""REST of the lab, asked by an HTTP client that knows nothing of RouterOS, as MikroTik documents it."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mtd.lab.service import Endpoint

START = Callable[..., Any]
JSON = {"Content-Type": "application/json"}


class Rest:
    """One connection to a router's REST door."""

    def __init__(self, endpoint: Endpoint, login: str | None = None) -> None:
        if endpoint.rest_client_tls == "off":
            self.connection = http.client.HTTPConnection(endpoint.host, endpoint.rest_port, timeout=10)
        else:
            context = ssl.create_default_context(cafile=endpoint.ca_file)
            self.connection = http.client.HTTPSConnection(
                endpoint.host, endpoint.rest_port, timeout=10, context=context
            )
        secret = login if login is not None else f"{endpoint.username}:{endpoint.password}"
        self.headers = {**JSON, "Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and content of an answer."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self.connection.request(method, "/rest" + path, data, self.headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


@contextmanager
def asking(endpoint: Endpoint, login: str | None = None) -> Iterator[Rest]:
    client = Rest(endpoint, login)
    try:
        yield client
    finally:
        client.connection.close()


@pytest.fixture
def rest(start_lab: START) -> Iterator[Rest]:
    with asking(start_lab(r={"rest_port": 0, "interfaces": 4}).endpoint("r")) as client:
        yield client


def test_a_list_is_an_array_and_all_values_are_text(rest: Rest) -> None:
    status, rows = rest.ask("GET", "/interface")
    assert status == 200
    assert len(rows) == 4
    assert all(isinstance(value, str) for row in rows for value in row.values())
    assert rows[0][".id"] == "*1"
    assert list(rows[0]) == sorted(rows[0])


def test_properties_filters_and_single_records(rest: Rest) -> None:
    _, rows = rest.ask("GET", "/interface?.proplist=name,type&name=ether2")
    status, first = rest.ask("GET", "/interface/*1")
    assert status == 200
    status, by_name = rest.ask("GET", f"/interface/{first['name']}?.proplist=.id")
    assert (status, by_name) == (200, {".id": "*1"})
    assert all(row.keys() == {"name", "type"} for row in rows)
    assert rest.ask("GET", "/interface/*FFF") == (404, {"error": 404, "message": "Not Found"})


def test_commands_with_a_query_stack(rest: Rest) -> None:
    asked = {".proplist": ["name", "type"], ".query": ["type=ether", "type=vlan", "#|!"]}
    status, rows = rest.ask("POST", "/interface/print", asked)
    assert status == 200
    assert all(row["type"] not in ("ether", "vlan") for row in rows)
    # As some examples of the vendor write them.
    assert rest.ask("POST", "/interface/print", {"_proplist": "name", "_query": ["type=ether"]})[0] == 200
    assert rest.ask("POST", "/interface/print", {"count-only": ""}) == (200, {"ret": "4"})
    assert rest.ask("POST", "/interface/print", {".query": ["name=none"]}) == (200, [])


def test_a_monitor_gives_one_sample_or_some_for_a_time(rest: Rest) -> None:
    status, (sample,) = rest.ask("POST", "/interface/ethernet/monitor", {"numbers": "*1", "once": ""})
    assert status == 200
    assert "status" in sample
    status, samples = rest.ask(
        "POST", "/interface/ethernet/monitor", {"numbers": "*1", "interval": "0.05s", "duration": "0.1s"}
    )
    assert status == 200
    assert len(samples) == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("POST", "/no/such/print", {}, 400, "no such command prefix"),
        ("POST", "/interface/explode", {}, 400, "no such command"),
        ("POST", "/interface/print", {"colour": "blue"}, 400, "unknown parameter colour"),
        ("POST", "/interface/print", b"{", 400, "invalid JSON"),
        ("POST", "/interface/print", [1], 400, "expected a JSON object"),
        ("DELETE", "/interface/*1", None, 406, "no such command or directory"),
    ],
)
def test_errors_have_the_shape_of_routeros(
    rest: Rest, method: str, path: str, body: Any, status: int, detail: str
) -> None:
    found, said = rest.ask(method, path, body)
    assert found == said["error"] == status
    assert said["message"]
    assert detail in said["detail"]
    assert rest.ask("GET", "/system/identity")[0] == 200  # the connection goes on


@pytest.mark.parametrize("login", ["mtd:wrong", "admin:lab-password", "mtd", ""])
def test_a_login_that_is_wrong_is_unauthorized(start_lab: START, login: str) -> None:
    lab = start_lab(r={"rest_port": 0})
    with asking(lab.endpoint("r"), login) as client:
        assert client.ask("GET", "/system/resource") == (401, {"error": 401, "message": "Unauthorized"})
    assert lab.lab.stats()["r"]["rest_logins_failed"] == 1


def test_over_tls(start_lab: START) -> None:
    lab = start_lab(r={"rest_port": 0, "rest_tls": "ca"})
    with asking(lab.endpoint("r")) as client:
        status, (resource,) = client.ask("GET", "/system/resource")
    assert status == 200
    assert resource["version"].startswith("7.")


def test_the_list_of_services_names_the_port(start_lab: START) -> None:
    lab = start_lab(on={"rest_port": 0}, tls={"rest_port": 0, "rest_tls": "ca"})
    for name, service in (("on", "www"), ("tls", "www-ssl")):
        endpoint = lab.endpoint(name)
        with asking(endpoint) as client:
            _, rows = client.ask("GET", f"/ip/service?name={service}")
        assert [(row["port"], row["disabled"]) for row in rows] == [(str(endpoint.rest_port), "false")]
