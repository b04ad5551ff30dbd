"""The profiles of quality rules: those of the Swallow corpus, version 1, as its code and as its paper have them.

The two differ (Okazaki et al. 2024, "Building a Large Japanese Web Corpus for Large Language Models"; swallow-corpus, `apply_v1`
in `quality.py` and `ngword.py`). `docs/quality.md` lists the differences and what each profile drops.
"""

from pipeline.rules import Rule

CODE = "swallow-corpus quality.py, apply_v1"
CODE_NG = "swallow-corpus ngword.py, apply_v1"
PAPER = "Okazaki et al. 2024"
GOPHER = "Rae et al. 2021, table A1"

# Rules that code and paper share, in the order of `apply_v1`. "Drop if > 0.30" is a maximum, "drop if < 0.2" a minimum.
_LENGTH = Rule("num_letters", minimum=400, source=CODE)
_REPEATED_LINES = (
    Rule("duplicate_paragraph_fraction", maximum=0.30, source=CODE),
    Rule("duplicate_sentence_fraction", maximum=0.30, source=CODE),
    Rule("duplicate_paragraph_fraction_in_character", maximum=0.20, source=CODE),
    Rule("duplicate_sentence_fraction_in_character", maximum=0.20, source=CODE),
)
_HIRAGANA = Rule("hiragana_fraction", minimum=0.2, source=CODE)
_JAPANESE = Rule("japanese_fraction", minimum=0.5, source=CODE)
_MEAN_SENTENCE = Rule("avg_sentence_length", minimum=20, maximum=90, source=CODE)

PROFILES: dict[str, tuple[Rule, ...]] = {
    "swallow_code": (
        _LENGTH,
        *_REPEATED_LINES,
        Rule("top_2gram_character_fraction", maximum=0.20, source=CODE),
        Rule("top_3gram_character_fraction", maximum=0.18, source=CODE),
        Rule("top_4gram_character_fraction", maximum=0.16, source=CODE),
        Rule("duplicate_5gram_character_fraction", maximum=0.15, source=CODE),
        Rule("duplicate_6gram_character_fraction", maximum=0.14, source=CODE),
        Rule("duplicate_7gram_character_fraction", maximum=0.13, source=CODE),
        Rule("duplicate_8gram_character_fraction", maximum=0.12, source=CODE),
        Rule("duplicate_9gram_character_fraction", maximum=0.11, source=CODE),
        Rule("duplicate_10gram_character_fraction", maximum=0.10, source=CODE),
        _HIRAGANA,
        Rule("katakana_fraction", maximum=0.5, source=CODE),
        _JAPANESE,
        Rule("num_japanese_letters", minimum=400, source=CODE),
        _MEAN_SENTENCE,
        Rule("max_sentence_length", maximum=200, source=CODE),
        Rule("ellipsis_fraction", maximum=0.2, source=CODE),
        Rule("ng_fraction", below=0.05, source=CODE_NG),
    ),
    "swallow_paper": (
        _LENGTH,
        *_REPEATED_LINES,
        # "The rules of Rae et al. as they are": these count characters, the code counts occurrences and types.
        Rule("gopher_top_2gram_character_fraction", maximum=0.20, source=GOPHER),
        Rule("gopher_top_3gram_character_fraction", maximum=0.18, source=GOPHER),
        Rule("gopher_top_4gram_character_fraction", maximum=0.16, source=GOPHER),
        Rule("gopher_duplicate_5gram_character_fraction", maximum=0.15, source=GOPHER),
        Rule("gopher_duplicate_6gram_character_fraction", maximum=0.14, source=GOPHER),
        Rule("gopher_duplicate_7gram_character_fraction", maximum=0.13, source=GOPHER),
        Rule("gopher_duplicate_8gram_character_fraction", maximum=0.12, source=GOPHER),
        Rule("gopher_duplicate_9gram_character_fraction", maximum=0.11, source=GOPHER),
        Rule("gopher_duplicate_10gram_character_fraction", maximum=0.10, source=GOPHER),
        _HIRAGANA,
        Rule("katakana_fraction", below=0.5, source=PAPER),
        _JAPANESE,
        # No rule on num_japanese_letters: the paper has one length, that of all letters.
        _MEAN_SENTENCE,
        Rule("max_sentence_length", below=200, source=PAPER),
        Rule("ellipsis_fraction", below=0.2, source=PAPER),
        Rule("ng_character_fraction", below=0.05, source=PAPER),
    ),
}
