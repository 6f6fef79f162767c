"""Tools that routers run on demand: ping, traceroute, torch, sniffer, bandwidth test.

Takes a tenant's device and what to run; gives out rows as the router tells
them. A run has a session of its own to the router, bounds in time, rows and
bytes, and is an event when it begins and when it ends. Nothing but the
arguments that are written down here can reach a router, and nothing of what a
packet holds comes back.
"""
