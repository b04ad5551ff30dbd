"""Tokenizers and the format of token shards, as readers and writers see them."""
