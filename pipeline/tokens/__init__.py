"""Tokenizers, and the format of token shards for readers and writers."""
