"""PostgreSQL goes away under load, and comes back. What was lost, how soon is it live again, how long does the backlog take?"""
