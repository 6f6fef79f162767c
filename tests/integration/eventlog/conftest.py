from __future__ import annotations

from mtd.testing.nats import nats_cluster, nats_server, own_nats_server

__all__ = ["nats_cluster", "nats_server", "own_nats_server"]
