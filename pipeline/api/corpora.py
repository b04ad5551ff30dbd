"""A corpus as a whole: build it from a manifest, open it, ask it, compare two.

An open corpus holds its ledger open to read: close it before a run writes to the same folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from pipeline.audit.diff.difference import Difference
from pipeline.audit.diff.difference import difference as difference_of_ledgers
from pipeline.audit.yields import yield_rows
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import read_ledger
from pipeline.engine.runner import Listener
from pipeline.errors import UserError
from pipeline.manifest import read_manifest
from pipeline.operations.export import final_texts
from pipeline.operations.run import Report, run


class Corpus:
    """An open corpus, to read. Use it as a context manager, or `close` it. Tables are Arrow's; `.to_pandas()` converts them.

    Every method raises UserError once the corpus is closed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._ledger: Ledger | None = self._stack.enter_context(read_ledger(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ledger; a second time does nothing."""
        self._ledger = None
        self._stack.close()

    @property
    def ledger(self) -> Ledger:
        """The open ledger, for what has no method here."""
        if self._ledger is None:
            raise UserError(f"the corpus in {self.folder} is closed; open it again")
        return self._ledger

    def yields(self) -> pa.Table:
        """A row per stage: documents, characters, bytes and tokens in and out, shares in [0, 1], seconds, and what each rule
        dropped (`rules`). Empty before a run has come to its end."""
        return pa.Table.from_pylist(yield_rows(self.ledger))

    def pages(self) -> pa.Table:
        """A row per extracted page, without its text: URL, title, charset, language, the stage that it ended at (`stage`,
        `kept`, `rule`, `value`, `threshold`), tokens as extracted (`n_tokens`) and in the shards (`final_tokens`)."""
        return self.sql("FROM pages")

    def documents(self) -> Iterator[pa.Table]:
        """The final texts, cleaned and masked, as `export` writes them: doc_id, url, host, date, title, text, warc_file,
        warc_offset. Some thousand rows at a time, so that a corpus of any size fits into memory."""
        for _, tables in final_texts(self.ledger):
            yield from tables

    def sql(self, query: str, *parameters: object) -> pa.Table:
        """The answer of the ledger to a query, with a `?` for each of `parameters`; `docs/cookbook.md` has queries.

        Raises UserError for a query that DuckDB refuses, and for one without an answer.
        """
        try:
            relation = self.ledger.connection.sql(query, params=list(parameters))
            answer = None if relation is None else relation.to_arrow_table()
        except duckdb.Error as error:
            raise UserError(str(error)) from error
        if answer is None:
            raise UserError(f"the query has no answer; begin it with SELECT or FROM: {query!r}")
        return answer


def open_corpus(folder: str | Path) -> Corpus:
    """The corpus in `folder`, opened to read.

    Raises UserError where there is none, and RunStopped where a run holds it or where it is damaged.

    >>> with open_corpus("data") as corpus:
    ...     corpus.sql("SELECT count(*) AS pages FROM pages WHERE kept").to_pylist()
    [{'pages': 152}]
    """
    return Corpus(_folder(folder))


def build_corpus(
    manifest: str | Path,
    changes: Sequence[str] = (),
    *,
    inputs: Sequence[str] | None = None,
    output: str | Path | None = None,
    workers: int | None = None,
    forget: bool = False,
) -> Report:
    """Build the corpus that the YAML file `manifest` describes, doing only what is not done yet; `python -m pipeline run`.

    changes: settings over it, such as `quality.num_letters.min=300`. inputs, output, workers: instead of the manifest's. forget:
    delete the pages of inputs that the corpus holds and this run does not name. Work is done in new processes, so a script
    makes the call under `if __name__ == "__main__":`; a notebook needs nothing.

    Units that failed are in the report. Raises UserError for a wrong manifest, setting or input, and RunStopped where the run
    cannot go on; finished work is kept, and the same call resumes.

    >>> build_corpus("manifests/ja_web.yaml", inputs=["data/sample/sample-00004.warc.gz"], output="small", workers=1).failed
    []
    """
    place = None if output is None else str(_folder(output))
    settings = [changes] if isinstance(changes, str) else changes
    wanted = read_manifest(str(manifest), settings, input=inputs, output=place, workers=workers)
    return run(wanted, Listener(), forget=forget)


def difference(a: Corpus, b: Corpus, examples: int = 0) -> Difference:
    """What differs between two open corpora: figures, settings, pages, texts, hosts; `docs/audit.md` explains them.

    examples: pages of each group to name. Raises RunStopped where a corpus was never built to its end.

    >>> with open_corpus("data") as a, open_corpus("data") as b:
    ...     difference(a, b).groups
    ()
    """
    return difference_of_ledgers(a.ledger, b.ledger, examples)


def _folder(folder: str | Path) -> Path:
    if not str(folder):
        raise UserError("the name of the folder is empty; name one, such as 'data'")
    return Path(folder)
