"""The stages from documents to token shards: the tokenizer, counts, order, encoding and publication."""
