"""From the log to tables: each event projected exactly once.

Takes in the events of a log in order, gives out rows and, in the same
transaction, how far it got. Never appends to the log, and never serves readers.
"""
