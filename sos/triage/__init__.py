"""A report becomes a case: owner, clocks, verification, and the consent of those in danger."""
