"""The storage of telemetry measured: the same generated data our way and as narrow rows.

One PostgreSQL in one run holds both. For ``scripts/bench storage``, ``query``
and ``reference``.
"""
