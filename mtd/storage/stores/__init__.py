"""One store per area: the statements that write its tables, and read what the writer needs.

The statements that serve readers are in ``mtd.queries``.
"""
