"""The proof that a smaller model computes what the masked original computes."""
