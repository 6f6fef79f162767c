"""What flow records add up to, by the minute and by the hour.

Takes in the blocks of minutes that are due, gives out the largest keys of each dimension and the sum of all others,
and hours of the minutes. All of it runs in a process of its own, which the daemon starts once something is due, and
watches. It never changes a block, and what is summed up never counts a record twice or leaves one out unsaid.
"""
