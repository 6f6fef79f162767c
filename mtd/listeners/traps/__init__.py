"""SNMP traps and informs: from a socket to events on the timelines of devices.

Takes in datagrams of known devices, gives out changes of their state and answers to informs. Asks no device for
anything.
"""
