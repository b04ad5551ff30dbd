"""The stage dedup: near-duplicates by MinHash, and which of them survives."""
