"""A report of danger: five fields, sealed before its receipt is shown."""
