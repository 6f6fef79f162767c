"""Flows as they are asked for: what sends most, how that went over time, who had an address, and whether it is all.

Runs in threads, on connections of ``mtd.storage.readers``: what is summed up comes from the sums, what isn't yet from
the records, and each minute of a device from exactly one of them. Records are unpacked a block at a time.
"""
