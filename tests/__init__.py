"""What the system must do, one folder per part."""
