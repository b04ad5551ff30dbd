"""Texts as arrays of code units, and what all stages ask of them."""
