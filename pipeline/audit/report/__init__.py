"""The report of a corpus: one HTML page."""
