"""The audit log of the process.

Takes in what callers did, or were refused, and gives it to PostgreSQL in groups; while PostgreSQL is away it
is kept in files and stored later, in its order. Notes the end of the chain outside of PostgreSQL now and then.
Never loses a deed that it said is durable, never holds secrets.
"""
