"""Logs of collectors, copied into the hub's.

Takes in batches of events as they stand in a collector's log; makes sure that
they are of tenants and devices that the collector may speak for, and appends
them, each once, with the log and the position that they come from. Gives out
an acknowledgement when a batch is durable. Never acknowledges what it doesn't
have, and never stores an event of a log twice.
"""
