"""The doors: gRPC for programs, HTTP for probes and scrapers.

Takes in requests, and what the projections committed. Gives out values, events
and the inventory. Never polls a router for a reader, never holds a query: it
asks the backends in ``interfaces.py``, which the application wires.
"""
