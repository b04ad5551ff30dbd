"""From crawled pages to token shards, with a ledger of what happened to every page.

One folder per stage, in the order of the flow: `extract`, `measure`, `quality`, `dedup`, `hosts`, `clean`, `pii`, `removals`,
`tokenize`. Below them: `engine` (how work is keyed, planned and run), `corpus` (its files and its ledger), `inputs`, `tokens`,
`text`. Above them: `operations` (commands that act on a corpus) and `audit` (commands that read one). `docs/architecture.md`
has the picture.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.api.corpora import Corpus, build_corpus, difference, open_corpus
    from pipeline.api.texts import (
        ExtractedRecord,
        Failure,
        Language,
        Signature,
        Verdict,
        clean_text,
        cleaning_edits,
        compare_signatures,
        compare_texts,
        decode_bytes,
        extract_html,
        extract_warc,
        find_personal_data,
        identify_language,
        judge_measures,
        judge_text,
        mask_personal_data,
        measure_text,
        sign_text,
    )
    from pipeline.audit.diff.difference import Difference
    from pipeline.errors import RunStopped, UserError
    from pipeline.extract.charset import Decoded
    from pipeline.extract.main_text.extractors import MainText
    from pipeline.operations.run import Report
    from pipeline.text.edits import Edit

__version__ = "0.1.0"

# The library (docs/api.md). A name is imported when it is first asked for, so that `import pipeline` costs next to nothing.
__all__ = [
    "Corpus",
    "Decoded",
    "Difference",
    "Edit",
    "ExtractedRecord",
    "Failure",
    "Language",
    "MainText",
    "Report",
    "RunStopped",
    "Signature",
    "UserError",
    "Verdict",
    "build_corpus",
    "clean_text",
    "cleaning_edits",
    "compare_signatures",
    "compare_texts",
    "decode_bytes",
    "difference",
    "extract_html",
    "extract_warc",
    "find_personal_data",
    "identify_language",
    "judge_measures",
    "judge_text",
    "mask_personal_data",
    "measure_text",
    "open_corpus",
    "sign_text",
]
_CORPORA = ("Corpus", "Difference", "Report", "build_corpus", "difference", "open_corpus")
_ERRORS = ("RunStopped", "UserError")


if not TYPE_CHECKING:  # a type checker that saw it would take every name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = "api.corpora" if name in _CORPORA else "errors" if name in _ERRORS else "api.texts"
        return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
