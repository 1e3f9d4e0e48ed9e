"""Who gets what by which channel; send now; stop sending."""
