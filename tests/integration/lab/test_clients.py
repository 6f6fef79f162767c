"""Clients of other people log in to the lab and read it."""

import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import librouteros
import pytest
import routeros_api
from librouteros.exceptions import TrapError
from librouteros.login import plain, token
from librouteros.query import And, Key, Or

from mtd.lab.service import Endpoint
from tests.integration.lab.raw import eventually

START = Callable[..., Any]
ROUTERS = {
    "old": {"version": "6.42.12", "tls": "off"},
    "six": {"version": "6.49.10", "tls": "ca"},
    "seven": {"version": "7.16.2", "tls": "self-signed"},
    "new": {"version": "7.18.2", "tls": "anonymous"},
}


def client_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    if endpoint.client_tls == "off":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if endpoint.client_tls == "verify":
        context.load_verify_locations(endpoint.ca_file)
        return context
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if endpoint.client_tls == "anonymous":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ADH:@SECLEVEL=0")
    return context


@contextmanager
def librouteros_api(endpoint: Endpoint, password: str | None = None, **settings: Any) -> Iterator[Any]:
    context = client_context(endpoint)
    if context is not None:
        settings["ssl_wrapper"] = lambda sock: context.wrap_socket(sock, server_hostname=endpoint.host)
    if endpoint.version == "6.42.12":
        settings.setdefault("login_method", token)
    api = librouteros.connect(
        endpoint.host,
        endpoint.username,
        endpoint.password if password is None else password,
        port=endpoint.port,
        **{"encoding": "utf-8", "timeout": 5} | settings,
    )
    try:
        yield api
    finally:
        api.close()


@contextmanager
def routeros_api_api(endpoint: Endpoint, **settings: Any) -> Iterator[Any]:
    pool = routeros_api.RouterOsApiPool(
        endpoint.host,
        username=endpoint.username,
        password=endpoint.password,
        port=endpoint.port,
        ssl_context=client_context(endpoint),
        **{"plaintext_login": endpoint.version != "6.42.12"} | settings,
    )
    try:
        yield pool.get_api()
    finally:
        pool.disconnect()


@pytest.mark.parametrize("name", ROUTERS)
def test_librouteros_reads_resource_and_all_counters_of_one_tick(start_lab: START, name: str) -> None:
    lab = start_lab(**{name: ROUTERS[name]})
    truth = lab.lab.world.router(name)
    with librouteros_api(lab.endpoint(name)) as api:
        first = lab.lab.world.clock.now_tick()
        (resource,) = api.path("system", "resource")
        rows = tuple(api.path("interface"))
        last = lab.lab.world.clock.now_tick()
    assert resource["version"].startswith(ROUTERS[name]["version"])
    assert resource["cpu-load"] in {truth.resource(tick).cpu_load_pct for tick in range(first, last + 1)}
    assert resource["total-memory"] == truth.board.memory_bytes
    keys = set(truth.counters(0)["*1"])
    values = {row[".id"]: {key: row[key] for key in keys} for row in rows}
    tick = truth.match(values, first, last)
    assert tick is not None
    assert values == truth.counters(tick)


@pytest.mark.parametrize("name", ROUTERS)
def test_routeros_api_reads_too(start_lab: START, name: str) -> None:
    lab = start_lab(**{name: ROUTERS[name]})
    with routeros_api_api(lab.endpoint(name)) as api:
        (identity,) = api.get_resource("/system/identity").get()
        assert identity == {"name": name}
        (port,) = api.get_binary_resource("/interface").get(name=b"sfp-sfpplus1")
        assert port["id"] == b"*1"
        assert api.get_resource("/ip/dhcp-server/lease").get() == []


@pytest.mark.parametrize("name", ["old", "seven"])
def test_a_wrong_password_is_refused_as_the_version_does(start_lab: START, name: str) -> None:
    lab = start_lab(**{name: ROUTERS[name] | {"tls": "off"}})
    message = "cannot log in" if name == "old" else r"invalid user name or password \(6\)"
    with pytest.raises(TrapError, match=message), librouteros_api(lab.endpoint(name), password="wrong"):
        pass
    assert lab.lab.stats(name)[name]["logins_failed"] == 1
    with librouteros_api(lab.endpoint(name)) as api:
        failures = [row for row in api.path("log") if "login failure for user mtd" in row["message"]]
    assert len(failures) == 1


def test_the_challenge_login_is_refused_since_6_43(start_lab: START) -> None:
    lab = start_lab(six={"version": "6.49.10"})
    with pytest.raises(TrapError), librouteros_api(lab.endpoint("six"), login_method=token):
        pass


def test_a_plain_login_at_an_old_router_gets_a_challenge_and_no_session(start_lab: START) -> None:
    lab = start_lab(old={"version": "6.42.12"})
    with (
        pytest.raises(Exception, match="not logged in"),
        librouteros_api(lab.endpoint("old"), login_method=plain) as api,
    ):
        tuple(api.path("interface"))


@pytest.mark.parametrize("name", ["six", "seven"])
def test_a_client_without_trust_turns_away(start_lab: START, name: str) -> None:
    lab = start_lab(**{name: ROUTERS[name]})
    endpoint, context = lab.endpoint(name), ssl.create_default_context()
    with socket.create_connection((endpoint.host, endpoint.port), timeout=5) as sock:  # noqa: SIM117
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname=endpoint.host)
    eventually(lambda: lab.lab.stats(name)[name]["wire_errors"] == 1)


def test_the_fingerprint_is_that_of_the_certificate(start_lab: START) -> None:
    endpoint = start_lab(seven=ROUTERS["seven"]).endpoint("seven")
    pem = ssl.get_server_certificate((endpoint.host, endpoint.port), timeout=5)
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == endpoint.fingerprint_sha256


def test_proplist_query_and_count(start_lab: START) -> None:
    lab = start_lab(seven={"version": "7.16.2", "pppoe": 4})
    with librouteros_api(lab.endpoint("seven")) as api:
        ports = api.path("interface")
        name, kind, dynamic = Key("name"), Key("type"), Key("dynamic")
        found = list(ports.select(name, Key("rx-byte")).where(Or(name == "ether1", name == "bridge1")))
        assert [set(row) for row in found] == [{"name", "rx-byte"}] * 2
        assert {row["name"] for row in found} == {"ether1", "bridge1"}
        both = list(ports.select(name).where(And(kind == "ether", name == "ether2")))
        assert both == [{"name": "ether2"}]
        assert len(list(ports.select(name).where(dynamic == "true"))) == 4
        assert next(iter(api("/interface/print", **{"count-only": ""})))["ret"] == 34
        sessions = list(api.path("ppp", "active"))
        assert [row["name"] for row in sessions] == [f"subscriber{number}" for number in (1, 2, 3, 4)]


def test_comments_are_bytes_of_any_code_page(start_lab: START) -> None:
    lab = start_lab(seven={"version": "7.16.2", "interfaces": 60})
    truth = {item.id: item.comment for item in lab.lab.world.router("seven").interfaces(0)}
    with librouteros_api(lab.endpoint("seven"), encoding="latin-1") as api:
        found = {row[".id"]: row.get("comment", "").encode("latin-1") for row in api.path("interface")}
    assert found == truth
    assert any(not _is_utf8(comment) for comment in truth.values())
    assert any(_is_utf8(comment) and not comment.isascii() for comment in truth.values())


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("version", "path", "message"),
    [
        ("6.49.10", "/interface/wifi/print", "no such command prefix"),
        ("7.16.2", "/interface/wireless/print", "no such command prefix"),
        ("7.16.2", "/routing/bgp/peer/print", "no such command prefix"),
        ("7.16.2", "/interface/paint", "no such command"),
        ("7.16.2", "/ip/print", "no such command"),
    ],
)
def test_menus_that_a_version_lacks(start_lab: START, version: str, path: str, message: str) -> None:
    lab = start_lab(router={"version": version})
    with librouteros_api(lab.endpoint("router")) as api:
        with pytest.raises(TrapError) as caught:
            tuple(api(path))
        assert caught.value.message == message
        with pytest.raises(TrapError, match="unknown parameter colour"):
            tuple(api("/interface/print", colour="red"))
        assert tuple(api.path("system", "identity")) == ({"name": "router"},)


def test_health_has_the_shape_of_its_version(start_lab: START) -> None:
    lab = start_lab(six={"version": "6.49.10"}, seven={"version": "7.16.2"})
    with librouteros_api(lab.endpoint("six")) as api:
        assert [set(row) for row in api.path("system", "health")] == [{"voltage", "temperature"}]
    with librouteros_api(lab.endpoint("seven")) as api:
        rows = {row["name"]: row for row in api.path("system", "health")}
    assert rows["psu1-state"] == {".id": "*1CE9", "name": "psu1-state", "value": "ok", "type": ""}
    assert rows["temperature"]["type"] == "C"


def test_every_menu_answers_and_names_its_own_port(start_lab: START) -> None:
    lab = start_lab(six={"version": "6.49.10"}, seven={"version": "7.16.2", "tls": "self-signed"})
    for name, service in (("six", "api"), ("seven", "api-ssl")):
        endpoint = lab.endpoint(name)
        with librouteros_api(endpoint) as api:
            for menu in lab.lab.routers[name].console.menus.values():
                if "print" not in menu.commands():
                    continue
                for found in api.path(menu.path):
                    assert found
            ports = {row["name"]: row for row in api.path("ip", "service")}
            users = list(api.path("user", "active"))
        assert ports[service]["port"] == endpoint.port
        assert not ports[service]["disabled"]
        assert [user["name"] for user in users] == ["mtd"]


@pytest.mark.parametrize("version", ["6.49.10", "7.16.2"])
def test_hosts_stand_in_the_networks_of_the_router(start_lab: START, version: str) -> None:
    lab = start_lab(router={"version": version, "interfaces": 60})
    truth = lab.lab.world.router("router")
    with librouteros_api(lab.endpoint("router"), encoding="latin-1") as api:
        networks = {
            row["interface"]: ipaddress.ip_network(row["network"] + "/24") for row in api("/ip/address/print")
        }
        hosts = list(api("/ip/arp/print"))
        neighbors = list(api("/ip/neighbor/print"))
        if version == "7.16.2":
            links = {row["interface"]: row["address"] for row in api("/ipv6/address/print")}
            mac = truth.all_interfaces[0].mac_address.lower().split(":")
            assert links["sfp-sfpplus1"] == f"fe80::66d1:54ff:fe{mac[3]}:{mac[4]}00/64"
    answered = [row for row in hosts if row["complete"]]
    assert {row["interface"] for row in answered} == {
        name
        for name in networks
        if not next(item for item in truth.interfaces(0) if item.name == name).disabled
    }
    assert all(ipaddress.ip_address(row["address"]) in networks[row["interface"]] for row in answered)
    assert len({row["mac-address"] for row in answered}) == len(answered)
    assert [row["address"] for row in hosts if "mac-address" not in row] == ["10.0.0.77"]
    assert [row["interface"] for row in neighbors] == ["sfp-sfpplus1", "sfp-sfpplus2"]


def test_setting_a_name_keeps_the_counters(start_lab: START) -> None:
    lab = start_lab(seven={})
    with librouteros_api(lab.endpoint("seven")) as api:
        tuple(api("/interface/set", **{".id": "*2", "name": "wan", "comment": "Zürich"}))
        (found,) = api.path("interface").select(".id", "name", "comment").where(Key("name") == "wan")
        assert found == {".id": "*2", "name": "wan", "comment": "Zürich"}
        tuple(api("/system/identity/set", name="edge-9"))
        assert tuple(api.path("system", "identity")) == ({"name": "edge-9"},)


def test_an_ethernet_monitor_tells_rate_and_optics(start_lab: START) -> None:
    lab = start_lab(seven={})
    with librouteros_api(lab.endpoint("seven")) as api:
        first, second = api("/interface/ethernet/monitor", numbers="sfp-sfpplus1,ether1", once="")
        assert (first["status"], first["rate"], first["sfp-module-present"]) == ("link-ok", "10Gbps", True)
        assert (second["name"], second["rate"]) == ("ether1", "1Gbps")
        assert "sfp-rx-power" not in second
        with pytest.raises(TrapError, match="input does not match any value of interface"):
            tuple(api("/interface/ethernet/monitor", numbers="nothing", once=""))
