"""Lists that the pipeline brings along: expressions and hosts, one entry a line; each file says where it is from."""
