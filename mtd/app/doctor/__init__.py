"""Whether this mtd is fit for production: small checks, each of one thing.

Takes in a configuration and looks at files, PostgreSQL and the daemon, as far as they are there. Gives out what
was found, and how to mend it. Changes nothing, and says plainly what it could not look at.
"""
