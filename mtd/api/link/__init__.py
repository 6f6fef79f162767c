"""The hub's end of links with edges: what of it isn't gRPC.

Takes in what edges say; gives them what they are to poll, and commands. Never opens a secret itself.
"""
