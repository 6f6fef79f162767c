"""Finds devices that the inventory may not have.

Takes announcements (MNDP) and scans of subnets that the configuration lists;
gives out sightings, which become events. Never logs in to anything, and never
adds a device: an operator does.
"""
