"""Text of a router: bytes without a declared character set.

RouterOS keeps the bytes that a client sent (WinBox sends the code page of its
Windows) and never says which set they are in.
"""

from __future__ import annotations

from functools import lru_cache

_CACHED_LENGTH = 128  # longer texts are rare, and would let the cache grow large
_FALLBACK = "latin-1"  # maps every byte
# Every code page leaves ASCII alone; Python's codecs that escape, pack or encrypt don't.
_PROBES = ("\\u0041 ~{A~} +AGE-", "".join(map(chr, range(128))))


def decode_text(value: bytes, code_page: str = _FALLBACK) -> str:
    """Return the text of a value: as UTF-8, else by the device's code page.

    Never raises: an unknown code page counts as Latin-1, and what the code
    page lacks becomes U+FFFD. So does NUL, which PostgreSQL's text refuses.
    """
    if len(value) <= _CACHED_LENGTH:
        return _decode_cached(value, code_page)
    return _decode(value, code_page)


def decode_seldom(value: bytes, code_page: str = _FALLBACK) -> str:
    """Decode a text that won't come again soon: it would only push others out of the cache."""
    return _decode(value, code_page)


def _decode(value: bytes, code_page: str) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode(_known_code_page(code_page), "replace")
    return text.replace("\0", "\ufffd") if "\0" in text else text


_decode_cached = lru_cache(maxsize=65_536)(_decode)


@lru_cache(maxsize=64)
def _known_code_page(name: str) -> str:
    """Return the name if Python knows a code page by it, else Latin-1."""
    try:
        leaves_ascii_alone = all(text.encode().decode(name, "replace") == text for text in _PROBES)
    except (LookupError, ValueError):
        return _FALLBACK
    return name if leaves_ascii_alone else _FALLBACK
