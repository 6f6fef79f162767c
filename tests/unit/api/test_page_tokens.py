"""Page tokens: only those that were given out, for the list that they were given for."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.page_tokens import (
    LONGEST_TOKEN,
    EncodedPage,
    PageSeal,
    PageTokenRefused,
    is_paged,
    with_token,
)
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry

SEAL = PageSeal(b"a key")
METHOD, TENANT = "/inventory/ListDevices", "t1"
REQUEST = pb.ListDevicesRequest(site="graz")


@given(st.text(max_size=500), st.integers(0, 1000))
def test_what_was_sealed_can_be_opened(place: str, page_size: int) -> None:
    token = SEAL.seal(METHOD, TENANT, REQUEST, place)
    assert bool(token) == bool(place)
    # The size of the page, and the fields that are shown, may change on the way.
    later = pb.ListDevicesRequest(site="graz", page_size=page_size, page_token=token)
    later.read_mask.paths.append("id")
    assert SEAL.open(METHOD, TENANT, later, token) == place


@given(
    st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_what_was_not_sealed_is_refused(token: str) -> None:
    if token:
        with pytest.raises(PageTokenRefused, match="not one that this server gave out for this list"):
            SEAL.open(METHOD, TENANT, REQUEST, token)


@given(st.text(min_size=1, max_size=50), st.data())
def test_a_token_that_was_changed_is_refused(place: str, data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(SEAL.seal(METHOD, TENANT, REQUEST, place)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PageTokenRefused):
        SEAL.open(METHOD, TENANT, REQUEST, base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize(
    ("method", "tenant", "request_", "key"),
    [
        ("/inventory/ListSites", TENANT, REQUEST, b"a key"),
        (METHOD, "t2", REQUEST, b"a key"),
        (METHOD, TENANT, pb.ListDevicesRequest(site="wien"), b"a key"),
        (METHOD, TENANT, pb.ListDevicesRequest(device_group="graz"), b"a key"),
        (METHOD, TENANT, REQUEST, b"another key"),
        (METHOD[:-1], f"s{TENANT}", REQUEST, b"a key"),
    ],
)
def test_a_token_of_another_list_is_refused(
    method: str, tenant: str, request_: pb.ListDevicesRequest, key: bytes
) -> None:
    token = SEAL.seal(METHOD, TENANT, REQUEST, "core-1")
    with pytest.raises(PageTokenRefused):
        PageSeal(key).open(method, tenant, request_, token)


def test_a_token_without_end_is_refused() -> None:
    with pytest.raises(PageTokenRefused):
        SEAL.open(METHOD, TENANT, REQUEST, "A" * (LONGEST_TOKEN + 4))


def test_answers_that_are_encoded_get_their_token() -> None:
    values = telemetry.QueryLatestResponse(values=[telemetry.LatestValue(device_name="r1")])
    rest = telemetry.QueryLatestResponse(age_ms=5, next_page_token="place")
    page = with_token(EncodedPage(values.SerializeToString(), rest), str.upper)
    found = telemetry.QueryLatestResponse.FromString(page)
    assert (found.values[0].device_name, found.age_ms, found.next_page_token) == ("r1", 5, "PLACE")


def test_lists_are_known_by_their_requests() -> None:
    assert is_paged(pb.ListDevicesRequest())
    assert not is_paged(pb.GetDeviceRequest())
    assert not is_paged(object())
