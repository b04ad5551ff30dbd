"""`explain`: the story of one page, from its WARC record to its shard."""
