"""The documented library: what a stage does to one text, and a corpus as a whole.

`pipeline` offers every name here as its own (`from pipeline import clean_text`); `docs/api.md` shows them at work. Two
modules, so that work on texts alone loads no database: `texts` and `corpora`.
"""
