"""HTTP for probes and scrapers: liveness, readiness, metrics.

Takes in nothing but a readiness check. Never waits for a database or a router.
"""
