"""The link between an edge and its hub.

Takes in what a hub tells over `CollectorLinkService`; gives out what is to be
polled, and by which keys people's names are replaced. Turns devices and
assignments into messages and back, and keeps on the edge's disk, sealed, what
it polls without a lease. Never polls, and never writes a secret anywhere in clear.
"""
