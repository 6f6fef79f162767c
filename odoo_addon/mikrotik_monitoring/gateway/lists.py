"""Whole lists of mtd, within bounds: one that never ends may neither take a company's turn nor fill the memory."""

import time

MOST_PAGES = 1000
MOST_ROWS = 20_000
MOST_S = 60.0
"""How long a list may take. One page takes as long as the client waits for an answer."""


def devices(client):
    """Return all devices. Raises MtdClientError."""
    from mtd.client import requests

    return _whole(client, requests.list_page, lambda answer: answer)


def sites(client):
    """Return all sites. Raises MtdClientError."""
    from mtd.client import places

    return _whole(
        client,
        lambda token: places.sites(page_token=token),
        lambda answer: (answer.places, answer.next_page_token),
    )


def credential_sets(client):
    """Return all credential sets. Raises MtdClientError."""
    from mtd.client import credential_sets as sets

    return _whole(
        client,
        lambda token: sets.sets(page_token=token),
        lambda answer: (answer.sets, answer.next_page_token),
    )


def _whole(client, page_behind, read):
    from mtd.client import MtdClientError

    found, token, ends = [], "", time.monotonic() + MOST_S
    for _page in range(MOST_PAGES):
        rows, token = read(client.ask(page_behind(token)))
        found += rows
        if not token:
            return found
        if len(found) > MOST_ROWS or time.monotonic() > ends:
            break
    raise MtdClientError(
        f"a list has more than {MOST_ROWS:,} rows, or takes longer than {MOST_S:.0f} s",
        code="OUT_OF_RANGE",
        reason="TOO_LONG",
    )
