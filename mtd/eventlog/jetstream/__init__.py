"""The log as a stream of NATS JetStream: one message per batch, one stream per log, one writer at a time.

Every message names the one it follows (``Nats-Expected-Last-Sequence``), so that
a writer that was replaced while it slept can store nothing more. What is only
known from trimmed batches stands in messages of state in the same stream.
"""
