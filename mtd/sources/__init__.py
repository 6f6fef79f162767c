"""Sources: sessions with devices.

Take a device and commands; give replies with the time at which each began.
Never interpret a value, never retry on their own, and never let one device
hold up another: every wait has a deadline, every buffer a limit.
"""
