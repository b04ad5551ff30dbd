"""Units of work: what is stale, in what order it is done, and where it runs."""
