"""The lab's HTTP: requests however they arrive, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.http import HttpError, HttpReader, HttpRequest, chunk
from mtd.lab.rest_words import json_row

REQUEST = b"POST /rest/x/print HTTP/1.1\r\nHost: r\r\nContent-Length: 2\r\n\r\n{}GET /rest/y HTTP/1.1\r\n\r\n"


@given(st.lists(st.integers(0, len(REQUEST)), max_size=6))
def test_requests_are_whole_however_they_arrive(cuts: list[int]) -> None:
    reader = HttpReader()
    places = sorted({0, len(REQUEST), *cuts})
    found: list[HttpRequest] = []
    for start, end in zip(places, places[1:], strict=False):
        found += reader.feed(REQUEST[start:end])
    assert [(request.method, request.target, request.body) for request in found] == [
        ("POST", "/rest/x/print", b"{}"),
        ("GET", "/rest/y", b""),
    ]
    assert found[0].headers[b"host"] == b"r"


@pytest.mark.parametrize(
    "data",
    [
        b"/interface/print\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_what_is_no_request_is_told(data: bytes) -> None:
    with pytest.raises(HttpError):
        HttpReader().feed(data)


@given(st.dictionaries(st.text("abc-.", min_size=1), st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_row_is_json(row: dict[str, str]) -> None:
    encoded = json_row({key.encode(): value.encode() for key, value in row.items()})
    assert json.loads(encoded) == row


def test_chunks_name_their_length() -> None:
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert chunk(b"") == b"0\r\n\r\n"
