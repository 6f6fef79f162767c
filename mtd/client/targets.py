"""The addresses of a daemon, or of several hubs that share a database: one at a time is called."""

from __future__ import annotations

from mtd.client.errors import MtdClientError


class Targets:
    """Addresses of a list with commas between them, in turn.

    One stays the current one until it can't be reached, or says that it stops.
    """

    def __init__(self, text: str) -> None:
        self._all = [target for target in (part.strip() for part in text.split(",")) if target] or [text]
        self._place = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    @property
    def all(self) -> list[str]:
        """All of them."""
        return list(self._all)

    @property
    def current(self) -> str:
        """The one that is called."""
        return self._all[self._place]

    def turn(self, failed: str) -> None:
        """Call the next one, unless another than ``failed`` is the current one already."""
        if self._all[self._place] == failed:
            self._place = (self._place + 1) % len(self._all)


def another_may_answer(error: MtdClientError) -> bool:
    """Return whether what one hub answered, or didn't, says nothing of another one."""
    return error.code == "UNAVAILABLE"


def nothing_was_done(error: MtdClientError) -> bool:
    """Return whether a call surely had no effect, so that it may be made again elsewhere without a second thought."""
    return error.is_unsent or error.reason == "STREAMS_CLOSED"
