"""Ways to reach a person: they know messages and addresses, and nothing of the journey."""
