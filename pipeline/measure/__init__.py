"""The stage measure: the numbers that quality rules judge by."""
