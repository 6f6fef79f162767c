"""What the read side refuses by itself."""

from __future__ import annotations

from mtd.core.errors import Refused, Retryable


class TooManyPoints(Refused):
    """More would have to be read, or answered, than the configuration allows."""

    hint = "ask for fewer series, a shorter range, fewer points or a coarser resolution"


class TooManyQueries(Retryable):
    """As many queries of the tenant run and wait as the configuration allows."""

    hint = (
        "wait for the answers of the queries before, or raise queries.max_concurrent"
        " and database.query_pool_size, which it is a share of"
    )
