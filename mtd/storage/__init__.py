"""PostgreSQL: the one place that holds a driver, the schema and the statements that write.

Takes in rows and settings, gives out rows and change notifications. Never
decides what an event means (projections do) and never talks to a router.
"""
