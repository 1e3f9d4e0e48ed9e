"""The secretariat: its people, their sign-in, their keys, and who holds the key of what."""
