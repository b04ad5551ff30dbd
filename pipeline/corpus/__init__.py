"""The files of a corpus: where they are, how they are read and written, and the ledger."""
