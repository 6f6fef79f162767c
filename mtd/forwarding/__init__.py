"""From the log of an edge to its hub: each event, the newest first, none forgotten before the hub's database has it.

Takes in the events of the log, and what the hub says of them. Gives out batches in
two lanes, live and backfill, and pins the log to what may be forgotten. Never
changes an event, and never holds up what writes to the log.
"""
