"""`make bench`: the fan-out beside others on the same wire; nothing in it is a test of speed."""
