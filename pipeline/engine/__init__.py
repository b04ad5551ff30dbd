"""Units of work: their keys, which of them are stale, the order in which they run, and where."""
