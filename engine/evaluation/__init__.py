"""Judging packs and what they generate; imported by nothing that the product runs."""
