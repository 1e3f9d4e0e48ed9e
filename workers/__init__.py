"""The worker process: later work through arq, the sweep that makes losing it invisible, and one sender per channel."""
