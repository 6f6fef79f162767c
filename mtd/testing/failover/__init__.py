"""Two daemons that poll for one database, and what happens when one of them ends or is held up.

Takes in a plan; gives out how long routers were without a poll, by what they say
themselves and by what is stored, and how many polls two made at a time.
"""
