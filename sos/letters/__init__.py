"""The text and its signatories: frozen, typeset, released, and sent to those whom it addresses."""
