"""From crawled pages to token shards, with a ledger of what happened to every page.

One folder per stage, in the order of the flow: `extract`, `measure`, `quality`, `dedup`, `hosts`, `clean`, `pii`, `removals`,
`tokenize`. Below them: `engine` (how work is keyed, planned and run), `corpus` (its files and its ledger), `inputs`, `tokens`,
`text`. Above them: `operations` (commands that act on a corpus) and `audit` (commands that read one). `docs/architecture.md`
has the picture.
"""

__version__ = "0.1.0"
