"""What comes in from a provider: verified, taken once, and given to exactly one stage."""
