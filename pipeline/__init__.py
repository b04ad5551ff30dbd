"""From crawled pages to token shards, with a ledger of what happened to every page.

One file per stage, in the order of the flow: `extract`, `measure`, `quality`, `dedup`, `hosts`, `clean`, `pii`,
`tokenize`. Around them: `manifest` (what to build), `inputs` (where records come from), `runner` and `executor` (who does
the work, once), `ledger` (what was done), `token_store` (what comes out). `docs/architecture.md` has the picture.
"""

from pathlib import Path

from pipeline.compiled import keep_compiled_code

__version__ = "0.1.0"

keep_compiled_code(Path(__file__).parent)
