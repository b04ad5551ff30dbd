"""The documented library: stages applied to one text, and a corpus as a whole.

`pipeline` re-exports its functions and classes (`from pipeline import clean_text`); `docs/api.md` has examples. There are two
modules, `texts` and `corpora`, so that work on texts alone loads no database.
"""
