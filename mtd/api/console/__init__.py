"""The daemon's side of the browser console: its files, its pages of JSON, its live channel.

Takes in what the stream hub shows, what PostgreSQL has, and what the process
counts of itself; gives out what docs/console-protocol.md promises. Never polls
a router, never writes, and never queues values for a browser that reads slowly.
"""
