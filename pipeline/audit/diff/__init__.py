"""What differs between two corpora."""
