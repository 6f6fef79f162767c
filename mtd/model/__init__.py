"""Pure facts: what is measured, what it is called, and what follows from it.

Takes values in, gives values out. Never does I/O, never reads a clock.
"""
