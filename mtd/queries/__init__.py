"""The read side: what doors and tools ask PostgreSQL.

Takes in a tenant and what is wanted, gives out plain records. Never writes.
Times are microseconds since the epoch.
"""
