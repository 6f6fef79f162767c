"""Settings of traces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)


class TracingConfig(BaseModel):
    """Traces of mtd itself, to a collector of OpenTelemetry (OTLP over gRPC)."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(
        default=False,
        description="Make traces of polls and calls. Needs the extra: pip install 'mtd[tracing]'.",
    )
    endpoint: str = Field(
        default="http://127.0.0.1:4317",
        description="Collector of traces that speaks OTLP over gRPC; https:// for TLS.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="Authority that the certificate of the collector of traces is held against, PEM.",
    )
    headers_file: Path | None = Field(
        default=None,
        description="File with headers that go with each export, one `name: value` a line: a token, say.",
    )
    service_name: str = Field(
        default="mtd", min_length=1, max_length=100, description="What this service is called in traces."
    )
    sample_ratio: float = Field(
        default=0.001,
        ge=0.0,
        le=1.0,
        description="Which part of polls, and of calls that belong to no trace yet, is traced: 0 none, 1 all.",
    )
    callers: Literal["follow", "ignore"] = Field(
        default="follow",
        description="Calls whose caller samples a trace (traceparent) continue it, or are taken like others.",
    )
    callers_per_s: PositiveFloat = Field(
        default=50.0,
        description="Traces of callers that are followed, per second at the most: whoever may call could ask for a trace of"
        " each call.",
    )
    queue_spans: PositiveInt = Field(
        default=4096, description="Spans that may wait to be sent; those above are dropped and counted."
    )
    batch_spans: PositiveInt = Field(default=512, description="Spans that are sent together at most.")
    interval_s: PositiveFloat = Field(default=2.0, description="Time between sendings, seconds.")
    timeout_s: PositiveFloat = Field(
        default=5.0, description="Time that a sending may take, trials of it included, seconds."
    )

    @field_validator("endpoint")
    @classmethod
    def _an_address(cls, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.username
            or parts.path not in {"", "/"}
        ):
            raise ValueError("is a URL of scheme, host and port alone, such as http://127.0.0.1:4317")
        return endpoint

    @model_validator(mode="after")
    def _batches_fit(self) -> TracingConfig:
        if self.batch_spans > self.queue_spans:
            raise ValueError(
                f"batch_spans is {self.batch_spans}, but only {self.queue_spans} may wait (queue_spans)"
            )
        return self
