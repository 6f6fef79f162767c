"""Cold telemetry in PostgreSQL: hours of frames in, blocks, axes and rollups out and in again.

Blocking, by psycopg 3, for worker processes and threads. Takes and gives arrays:
values cross in the binary format, without a Python number for each. Knows how
rows are stored, never how values are packed (``mtd.codec``) or when (``mtd.compaction``).
"""
