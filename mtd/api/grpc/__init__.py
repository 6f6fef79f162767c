"""gRPC on the loop of the reactor: servicers, interceptors, the stream hub.

Takes in calls and committed events; gives out messages of ``proto/mtd/pb``.
Never lets a slow reader hold memory or others back.
"""
