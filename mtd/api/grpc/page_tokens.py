"""Page tokens that only who got them can use, for the list that they belong to.

Behind the door a token says where a page begins, in words of the list's own.
What callers get is that with a seal on it, which binds it to the method, the
tenant and the filter: a token that was made up, changed, or taken from another
tenant or another list is refused before anything reads it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.message import Message

from mtd.core.errors import Refused

# What says how much of the list is wanted, not which list.
_NOT_THE_LIST = ("page_token", "page_size", "read_mask")
_SEAL_BYTES = 16
# A token may hold three texts, each of some hundred characters of any script.
LONGEST_TOKEN = 24_576


class PageTokenRefused(Refused):
    """A page token that wasn't given out for this list."""

    hint = "begin without a token, and change nothing but page_size from page to page"


class EncodedPage(NamedTuple):
    """An answer of which the most is encoded already; ``rest`` holds the other fields, the page token among them."""

    encoded: bytes
    rest: Any


class PageSeal:
    """Puts seals on page tokens, and takes them off."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, method: str, tenant_id: str, request: Message, place: str) -> str:
        """Return the token of the page that begins at a place; empty if there is none."""
        if not place:
            return ""
        raw = place.encode("utf-8", "surrogatepass")
        return base64.urlsafe_b64encode(self._seal_of(method, tenant_id, request, raw) + raw).decode()

    def open(self, method: str, tenant_id: str, request: Message, token: str) -> str:
        """Return the place at which a page begins. Raises PageTokenRefused."""
        if not token:
            return ""
        try:
            if len(token) > LONGEST_TOKEN:
                raise ValueError("too long")
            sealed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(sealed).decode() != token:
                raise ValueError("another spelling")  # of bits that say nothing
            found, raw = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
            if not hmac.compare_digest(found, self._seal_of(method, tenant_id, request, raw)):
                raise ValueError("not our seal")
            return raw.decode("utf-8", "surrogatepass")
        except (binascii.Error, ValueError):
            raise PageTokenRefused("page_token is not one that this server gave out for this list") from None

    def _seal_of(self, method: str, tenant_id: str, request: Message, place: bytes) -> bytes:
        mac = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (method.encode(), tenant_id.encode(), _list_of(request), place):
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.digest()[:_SEAL_BYTES]


def is_paged(request: Any) -> bool:
    """Return whether a request is for a page of a list."""
    return isinstance(request, Message) and "page_token" in request.DESCRIPTOR.fields_by_name


def with_token(answer: Any, seal: Callable[[str], str]) -> Any:
    """Return an answer with the seal put on its page token."""
    message = answer.rest if isinstance(answer, EncodedPage) else answer
    message.next_page_token = seal(message.next_page_token)
    # Messages that are joined are one message.
    return answer.encoded + message.SerializeToString() if isinstance(answer, EncodedPage) else answer


def _list_of(request: Message) -> bytes:
    """Return what a request asks for, but for which page of it."""
    asked = type(request)()
    asked.CopyFrom(request)
    for name in _NOT_THE_LIST:
        if name in request.DESCRIPTOR.fields_by_name:
            asked.ClearField(name)
    return asked.SerializeToString(deterministic=True)
