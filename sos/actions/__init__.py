"""What the network will do: its texts in many languages, whom it is addressed to, and approval by somebody else."""
