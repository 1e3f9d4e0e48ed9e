"""One tap: a signature by one member on one exact text."""
