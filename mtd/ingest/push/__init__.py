"""What other people's programs send: samples and events of devices, in batches.

Takes in batches, as JSON or from gRPC; checks them row by row against catalogue
and inventory, makes the same layouts, frames and events of them as polls do,
and gives them to the log. Gives out which rows were taken, once they are
durable. Never takes a row half, never invents a value, and never lets one
tenant take what is another's: places, memory or time.
"""
