"""Formats of the wire and of storage, sans I/O: bytes in, values out, and back.

Takes bytes as they come from a socket, in any pieces, and gives rows, records and
errors; takes arrays of values, and gives what the database keeps of them. Never
opens, waits for, or times anything.
"""
