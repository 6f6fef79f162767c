"""A process that appends to a log on JetStream until it is ended, and says what was acknowledged.

jetstream_writer.py CONFIG NAME
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mtd.core.errors import Retryable
from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.pb.events.v1.envelope_pb2 import Envelope


def event(number: int) -> Envelope:
    found = Envelope(tenant_id="t", collector_id="c", collected_at_us=number)
    found.state_changed.event_type = "test.changed"
    return found


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(config: EventLogConfig, name: str) -> None:
    log = JetStreamEventLog(config, name)
    await log.start()
    number = 0
    while True:
        number += 1
        try:
            result = await log.append([event(number)], b"w%d" % number)
        except Retryable as error:
            tell(f"refused {error}")
            if "fenced" in str(error):
                return
            number -= 1
            await asyncio.sleep(0.05)
        else:
            tell(f"stored {result.first_seq}")


if __name__ == "__main__":
    asyncio.run(main(EventLogConfig.model_validate_json(Path(sys.argv[1]).read_text()), sys.argv[2]))
