"""Traces of mtd itself: from a poll to what PostgreSQL and those who watch have of it.

Takes in beginnings and ends of steps; gives out spans, to a collector of
OpenTelemetry. Off by default, and then it costs a look at a variable. What isn't
sampled costs no more. Never waits for the collector of traces: spans go out in a
thread, those for which there is no room are dropped and counted.
"""

from mtd.core.tracing.link import Link
from mtd.core.tracing.spans import (
    Attribute,
    Attributes,
    Group,
    Span,
    Tracer,
    around,
    begin,
    carried,
    current,
    detached,
    each,
    follow,
    is_on,
    step,
    stepping,
    trace_id,
    use,
)

__all__ = [
    "Attribute",
    "Attributes",
    "Group",
    "Link",
    "Span",
    "Tracer",
    "around",
    "begin",
    "carried",
    "current",
    "detached",
    "each",
    "follow",
    "is_on",
    "step",
    "stepping",
    "trace_id",
    "use",
]
