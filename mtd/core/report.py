"""Logs of the process: one line per record, as text or as JSON."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class LogConfig(BaseModel):
    """What the process writes about itself."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is written."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="One line per record: text for people, json for machines."
    )


class JsonFormatter(logging.Formatter):
    """A record as one JSON object; fields given by ``extra=`` stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in record.__dict__.items() if key not in _PLAIN}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def configure_logging(settings: LogConfig) -> None:
    """Send everything, Twisted's log included, to standard error."""
    from twisted.python.log import PythonLoggingObserver

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter()
        if settings.format == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    # Twisted reports factories starting and stopping at info: noise with a thousand sessions.
    logging.getLogger("twisted").setLevel(logging.WARNING)
    PythonLoggingObserver().start()
