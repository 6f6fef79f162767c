from __future__ import annotations

from mtd.listeners.senders import Senders, Strangers, owners_of_addresses
from mtd.listeners.udp import plain_address
from tests.unit.listeners.kit import device


def test_a_sender_is_the_device_with_its_address() -> None:
    senders = Senders()
    senders.apply(
        [device("core-1", "192.0.2.1"), device("core-2", "2001:0db8::0001"), device("by-name", "r.example")]
    )
    assert [one.name for one in senders.find("192.0.2.1")] == ["core-1"]
    assert [one.name for one in senders.find("2001:db8::1")] == ["core-2"]
    assert senders.find("192.0.2.9") == ()
    senders.apply([])
    assert senders.find("192.0.2.1") == ()


def test_the_name_in_a_line_tells_devices_with_one_address_apart() -> None:
    senders = Senders()
    senders.apply([device("a", "10.0.0.1"), device("b", "10.0.0.1")])
    assert len(senders.find("10.0.0.1")) == 2
    assert [one.name for one in senders.find("10.0.0.1", "b")] == ["b"]
    assert len(senders.find("10.0.0.1", "c")) == 2


def test_what_a_line_calls_its_sender_never_decides_between_tenants() -> None:
    senders = Senders()
    senders.apply([device("a", "10.0.0.1", tenant="1"), device("b", "10.0.0.1", tenant="2")])
    for name in ("", "a", "b"):
        assert {one.name for one in senders.find("10.0.0.1", name)} == {"a", "b"}


def test_a_router_of_one_tenant_takes_no_lines_of_anothers_by_giving_itself_their_address() -> None:
    senders = Senders()
    senders.apply_addresses({"203.0.113.7": ["id-b"], "10.1.1.1": ["id-b"]})
    senders.apply([device("a", "10.1.1.1", tenant="1"), device("b", "10.0.0.2", tenant="2")])
    assert senders.find("203.0.113.7") == ()
    assert [one.name for one in senders.find("10.1.1.1")] == ["a"]


def test_a_device_is_known_by_the_addresses_of_its_interfaces_too() -> None:
    senders = Senders()
    told = {"id-a": ["192.168.88.1", "2001:DB8::5", "fe80::1"], "id-b": ["192.168.88.1", "10.0.0.1"]}
    senders.apply_addresses(owners_of_addresses(told))
    senders.apply([device("a", "10.0.0.1"), device("b", "10.0.0.2")])
    assert [one.name for one in senders.find("2001:db8::5")] == ["a"]
    assert senders.find("fe80::1") == ()
    assert [one.name for one in senders.find("10.0.0.1")] == ["a"]  # where it is polled counts first
    assert len(senders.find("192.168.88.1")) == 2
    assert [one.name for one in senders.find("192.168.88.1", "b")] == ["b"]
    senders.apply([device("a", "10.0.0.1")])
    assert [one.name for one in senders.find("192.168.88.1")] == ["a"]


def test_strangers_that_were_adopted_are_none() -> None:
    strangers = Strangers()
    for address in ("10.0.0.1", "10.0.0.2"):
        strangers.seen(address, 1)
    strangers.forget(lambda address: address == "10.0.0.1")
    assert [one.address for one in strangers.list()] == ["10.0.0.2"]


def test_strangers_are_counted_and_the_longest_silent_go() -> None:
    strangers = Strangers()
    for number in range(1500):
        strangers.seen(f"10.0.{number // 250}.{number % 250}", number)
    assert len(strangers) == 1000
    strangers.seen("10.0.5.249", 2000)
    newest = strangers.list()[0]
    assert (newest.address, newest.lines, newest.seen_us) == ("10.0.5.249", 2, 2000)
    assert newest.is_news(5, 60)
    assert not newest.is_news(64, 60)
    assert newest.is_news(65, 60)


def test_an_ipv4_address_that_came_over_ipv6_is_one() -> None:
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert plain_address("192.0.2.1") == "192.0.2.1"
