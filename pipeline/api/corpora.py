"""A corpus as a whole: build it from a manifest, open it, query it, compare it with another.

An open corpus keeps its ledger open for reading: close it before a run writes to the same folder.
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
from pipeline.operations.guards import Choices
from pipeline.operations.run import Report, run


class Corpus:
    """An open corpus, for reading. Use it in a `with`, or `close` it. Tables are PyArrow's; `.to_pandas()` converts them.

    After `close`, every method but `close` raises UserError.
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
        """Close the ledger; a second call does nothing."""
        self._ledger = None
        self._stack.close()

    @property
    def ledger(self) -> Ledger:
        """The open ledger, for queries that have no method here. Raises UserError if the corpus is closed."""
        if self._ledger is None:
            raise UserError(f"the corpus in {self.folder} is closed; open it again")
        return self._ledger

    def yields(self) -> pa.Table:
        """A row per counted stage: documents, characters, bytes and tokens in and out, shares in [0, 1], seconds, and what each
        rule dropped (`rules`). Empty until a run has reached its end."""
        return pa.Table.from_pylist(yield_rows(self.ledger))

    def pages(self) -> pa.Table:
        """A row per extracted page, without its text: URL, title, charset, language, its fate (`stage`, `kept`, `rule`, `value`,
        `threshold`), tokens as extracted (`n_tokens`) and in the shards (`final_tokens`)."""
        return self.sql("FROM pages")

    def documents(self) -> Iterator[pa.Table]:
        """The final texts, cleaned and masked, as `export` writes them: doc_id, url, host, date, title, text, warc_file,
        warc_offset. Tables have a few thousand rows, so that a corpus of any size can be read."""
        for _, tables in final_texts(self.ledger):
            yield from tables

    def sql(self, query: str, *parameters: object) -> pa.Table:
        """The result of a SQL query on the ledger, with a `?` for each of `parameters`; `docs/cookbook.md` has examples.

        Raises UserError if DuckDB rejects the query, or if the query returns no table.
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
    """Open the corpus in `folder` for reading.

    Raises UserError if there is no corpus, and RunStopped if a run holds it or if its ledger is damaged or too old.

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
    allow_failed: bool = False,
    retrain_tokenizer: bool = False,
    donor: str | Path | None = None,
    accept_code: Sequence[str] = (),
) -> Report:
    """Build the corpus that the YAML file `manifest` describes, doing only what is not done yet; as `python -m pipeline run`.

    changes: settings that override it, such as `quality.num_letters.min=300`. inputs, output, workers: replace those of the
    manifest. forget: delete pages of inputs that the corpus holds and this run does not name. allow_failed: go on without inputs
    that failed. retrain_tokenizer: make a new tokenizer. donor: the folder of a corpus to take equal results from. accept_code:
    stages whose results by earlier code are kept. The work is done in new processes, so a script must call this under
    `if __name__ == "__main__":`; a notebook need not.

    Failed units are in the report. Raises UserError for a wrong manifest, setting or input, and RunStopped if the run cannot
    continue; finished work is kept, and the same call resumes.

    >>> build_corpus("manifests/ja_web.yaml", inputs=["data/sample/sample-00004.warc.gz"], output="small", workers=1).failed
    []
    """
    place = None if output is None else str(_folder(output))
    settings = [changes] if isinstance(changes, str) else changes
    wanted = read_manifest(str(manifest), settings, input=inputs, output=place, workers=workers)
    other = None if donor is None else str(_folder(donor))
    choices = Choices(
        forget=forget,
        allow_failed=allow_failed,
        retrain_tokenizer=retrain_tokenizer,
        donor=other,
        accept_code=(accept_code,) if isinstance(accept_code, str) else tuple(accept_code),
    )
    return run(wanted, Listener(), choices=choices)


def difference(a: Corpus, b: Corpus, examples: int = 0) -> Difference:
    """What differs between two open corpora: figures, settings, pages, texts, hosts; `docs/audit.md` explains them.

    examples: pages to name per group. Raises UserError if a corpus is closed, RunStopped if one was not built to its end.

    >>> with open_corpus("data") as a, open_corpus("data") as b:
    ...     difference(a, b).groups
    ()
    """
    return difference_of_ledgers(a.ledger, b.ledger, examples)


def _folder(folder: str | Path) -> Path:
    if not str(folder):
        raise UserError("the name of the folder is empty; name one, such as 'data'")
    return Path(folder)
