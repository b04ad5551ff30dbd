"""The files of a corpus: where they lie, how they are read and written, and the ledger of its units."""
