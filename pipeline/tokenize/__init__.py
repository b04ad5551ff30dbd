"""The stages from documents to token shards: tokenizer, counts, encoding, order, shards, publication."""
