"""Does a daemon that polls for hours grow? Takes samples from outside, fits lines through them, draws them.

Gives figures for JSON and a picture; never decides by the last sample alone.
"""
