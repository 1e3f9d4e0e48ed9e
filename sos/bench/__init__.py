"""Measuring on this machine: a launch and a whole fan-out, in an installation of its own that is removed afterwards."""
