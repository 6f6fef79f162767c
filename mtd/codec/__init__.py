"""Wire formats, sans I/O: bytes in, values out.

Takes bytes as they come from a socket, in any pieces. Gives rows, records and
errors. Never opens, waits for, or times anything.
"""
