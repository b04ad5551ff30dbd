"""The stage extract: from records to documents with their text, charset and language."""
