"""Who polls what.

Takes in which collectors are alive and which devices there are; gives out
assignments, each with an epoch that tells a newer one from an older. Makes sure
that no device is polled by two collectors beyond the end of a lease, and that
none is left without one for longer than that. Never polls, never writes what
was observed.
"""
