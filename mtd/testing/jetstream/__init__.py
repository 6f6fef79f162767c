"""``scripts/bench jetstream``: how fast a log on NATS JetStream is, and what several hubs do together."""
