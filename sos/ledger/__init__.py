"""Every message to anybody: planned by a stage, claimed, marked, sent, settled; and the holds that stop it."""
