"""The whole story without a human: real servers and processes, stand-ins for the providers, and a count."""
