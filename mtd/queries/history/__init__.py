"""Values over time, from where they are: frames of the newest hours, blocks, rollups.

Runs in threads, on connections of ``mtd.storage.readers``: takes in what is
asked and gives out arrays. Times are microseconds since the epoch. Nothing here
looks at a point by itself: all is done by arrays.
"""
