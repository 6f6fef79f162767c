"""Rankings, counts and newest values as the protocol shows them, and what was asked of them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mtd.api.grpc.page_tokens import EncodedPage
from mtd.core.errors import Refused
from mtd.model.pb_enums import LANE, STATUS
from mtd.pb.common.v1 import series_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.cache import Aged
from mtd.queries.newest import NewestPage, Token
from mtd.queries.records import EventDay, LatestValue, StatusCount, TopEntry
from mtd.queries.top import UNITS, TopBy

# Three texts, each of which may be of some hundred characters of any script.
_LONGEST_TOKEN = 16_384

_TOP_BY: Mapping[int, TopBy] = MappingProxyType(
    {
        pb.TOP_BY_RX: TopBy.RX,
        pb.TOP_BY_TX: TopBy.TX,
        pb.TOP_BY_UTILIZATION: TopBy.UTILIZATION,
        pb.TOP_BY_ERRORS: TopBy.ERRORS,
    }
)


def top_by_of(number: int) -> TopBy:
    """Return what a caller wants to rank by. Raises Refused."""
    if number not in _TOP_BY:
        raise Refused(f"by: name one of {', '.join(pb.TopBy.Name(one) for one in pb.TopBy.values() if one)}")
    return _TOP_BY[number]


def token_of(text: str) -> Token | None:
    """Return where a page begins. Raises Refused for a token that isn't ours."""
    if not text:
        return None
    try:
        if len(text) > _LONGEST_TOKEN:
            raise ValueError("too long")
        found = json.loads(base64.urlsafe_b64decode(text.encode()))
        if not isinstance(found, list) or not all(map(_is_text, found)):
            raise TypeError("no texts")
        return Token(*found)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise Refused("page_token is not one that this server gave out; begin without a token") from None


def _is_text(part: object) -> bool:
    """Return whether PostgreSQL takes it: it has no NUL, and nothing else that UTF-8 lacks."""
    return isinstance(part, str) and "\0" not in part and part.encode(errors="replace").decode() == part


def _text_of(token: Token | None) -> str:
    return "" if token is None else base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


class FormedPage(NamedTuple):
    """A page of newest values as it is sent, and where the next begins."""

    values: bytes
    after: str


def formed_page(page: NewestPage) -> FormedPage:
    """Return a page of newest values as it is sent. For a thread: large ones take a tenth of a second."""
    message = pb.QueryLatestResponse(values=map(_latest_value, page.values))
    return FormedPage(message.SerializeToString(), _text_of(page.after))


def newest_page(page: Aged[FormedPage]) -> EncodedPage:
    """Return a page with its age."""
    values, after = page.value
    return EncodedPage(values, pb.QueryLatestResponse(next_page_token=after, age_ms=_age_ms(page)))


def _latest_value(value: LatestValue) -> pb.LatestValue:
    return pb.LatestValue(
        device_id=value.device_id,
        device_name=value.device_name,
        info=pb.SeriesInfo(
            key=value.key,
            series=series_pb2.Series(
                metric=value.metric, instance=value.instance, lane=LANE.to_pb(value.lane)
            ),
            label=value.label if value.instance else "",
            unit=value.unit,
        ),
        collected_at_us=value.collected_us,
        value=value.value,
        counter=value.exact,
    )


def top_message(by: TopBy, found: Aged[Sequence[TopEntry]]) -> pb.TopNResponse:
    """Return a ranking."""
    entries = (
        pb.TopEntry(
            device_id=one.device_id,
            device_name=one.device_name,
            instance=one.instance,
            label=one.label,
            value=one.value,
            max_value=one.most,
        )
        for one in found.value
    )
    return pb.TopNResponse(entries=entries, unit=UNITS[by], age_ms=_age_ms(found))


def status_counts_message(found: Aged[Sequence[StatusCount]]) -> pb.StatusCountsResponse:
    """Return how many devices have each status."""
    counts = (pb.StatusCount(status=STATUS.to_pb(one.status), devices=one.devices) for one in found.value)
    return pb.StatusCountsResponse(counts=counts, age_ms=_age_ms(found))


def event_days_message(found: Aged[Sequence[EventDay]]) -> pb.EventsPerDayResponse:
    """Return the events of days."""
    days = (
        pb.EventDay(day=one.day, info=one.info, warning=one.warning, critical=one.critical)
        for one in found.value
    )
    return pb.EventsPerDayResponse(days=days, age_ms=_age_ms(found))


def _age_ms(aged: Aged[object]) -> int:
    return round(aged.age_s * 1000)
