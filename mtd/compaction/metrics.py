"""Metrics of the compaction, as the daemon hears of it from its worker."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

UNITS = Counter(
    "mtd_compaction_units_total",
    "Hours of a device and poll group that were compacted: new ones, merged with late frames, or with nothing but repeats.",
    ["kind"],
)
FRAMES = Counter("mtd_compaction_frames_total", "Frames that became blocks, or repeated what was stored.")
REPEATED_FRAMES = Counter(
    "mtd_compaction_repeated_frames_total", "Frames that held nothing but what was stored already."
)
POINTS = Counter("mtd_compaction_points_total", "Values that were moved from frames into blocks.")
LEFT_OUT = Counter(
    "mtd_compaction_left_out_points_total",
    "Values that came when values of their hour are not kept any more: they are in rollups only, while those are kept.",
)
BYTES = Counter(
    "mtd_compaction_written_bytes_total",
    "Bytes of the blocks that were written, before PostgreSQL packs them.",
)
CPU_SECONDS = Counter(
    "mtd_compaction_cpu_seconds_total", "CPU time of the worker, without PostgreSQL's part."
)
LATE_MERGES = Counter("mtd_compaction_late_merges_total", "Hours that were opened again for late frames.")
LAG_SECONDS = Gauge(
    "mtd_compaction_lag_seconds", "How long the oldest closed hour that still has frames is due; 0: none is."
)
FAILURES = Counter(
    "mtd_compaction_failures_total", "What didn't succeed and is tried again, by what it was.", ["what"]
)
VERIFICATION_FAILURES = Counter(
    "mtd_compaction_verification_failures_total",
    "Hours whose blocks didn't read back as their frames; the frames were kept.",
)
UNKNOWN_FRAMES = Gauge(
    "mtd_compaction_unknown_frames", "Frames of closed hours whose layout was never declared: they stay."
)
HOURS_DROPPED = Counter("mtd_compaction_partitions_dropped_total", "Emptied hours that were removed.")
DAYS_MERGED = Counter("mtd_compaction_rows_merged_total", "Rollup rows that became the rows of whole days.")
BLOCKS_RECODED = Counter("mtd_compaction_blocks_recoded_total", "Blocks that became dense.")
WORKER_STARTS = Counter("mtd_compaction_worker_starts_total", "Times the worker was started.")
