"""Who we are: member organisations, the people in them, and how each can be reached."""
