"""Back-pressure: what piles up behind polling decides how often routers are polled, and who else is held up.

Takes in how full the buffer, the log and the disk are, and how far those who read the log
are behind. Gives out how much less often each tier is polled: T3 first, then T2 and T1, and
T0 only while there is no room at all; whether those who send have to wait; and an event and
metrics for each step, up and down. Never throws anything away: it sees to it that nothing has to be.
"""
