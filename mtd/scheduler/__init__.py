"""Who is polled when.

Takes devices from the inventory and asks their sources for what is due; gives
observations and outcomes to ingest. Never parses a reply, never touches a
database. Each device has loops, a session and a breaker of its own, so that a
slow or dead router costs the others nothing (DESIGN law 7).
"""
