"""The lab: simulated RouterOS devices whose true values are known.

Takes a scenario (TOML), gives routers on loopback ports that ordinary API
clients log in to, and the truth about each value at each tick. Never imports
what it is there to test: it has its own encoder, parser and arithmetic.
"""
