"""People at the console: logging in by a password or by an identity provider, their sessions, logging out.

Takes in what a browser shows; gives out callers for the gate. Knows nothing of what they look at. Keeps no
password, no token of a provider, and of a session no more than the hash of its id.
"""
