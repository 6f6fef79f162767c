"""The one door through which anything gets into the event log.

Takes in observations, outcomes and probes of devices; checks them, stamps them
with tenant, collector and time, declares their layouts, and appends them to the
log in batches. Never waits for the disk where a poll is made, never interprets
a value, and never loses anything without counting it.
"""

from mtd.ingest.config import IngestConfig
from mtd.ingest.recorder import Recorder

__all__ = ["IngestConfig", "Recorder"]
