"""The whole journey on real servers and processes, and what it leaves behind."""
