"""What measuring must return, restated in plain Python from the definitions: one text at a time, without arrays.

The first part restates the rules that Swallow publishes (swallow-corpus, `quality.py` and `ngword.py`), with their quirks
as `pipeline/measure/stage.py` documents them; where they divide by zero or look into an empty list, the answer is 0. The second
part restates Gopher's repetition (Rae et al. 2021, A1.1) and the project's own numbers. Slow on purpose: it is the oracle.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection

SENTENCE_END_MARKS = "。．！？!?"


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def sentences_of_line(line: str) -> list[str]:
    """Runs of characters up to and with one end mark; a mark that nothing precedes is in no sentence."""
    sentences, open_sentence = [], ""
    for character in line:
        if character not in SENTENCE_END_MARKS:
            open_sentence += character
        elif open_sentence:
            sentences.append(open_sentence + character)
            open_sentence = ""
    return [*sentences, open_sentence] if open_sentence else sentences


def ngrams_of(text: str, n: int) -> Counter[str]:
    return Counter(text[start : start + n] for start in range(len(text) - n + 1))


def is_kanji(character: str) -> bool:
    return character in "々〇〻" or "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


def swallow_numbers(text: str) -> dict[str, float]:
    """All numbers of `quality.py`, under its names."""
    by_line = [sentences_of_line(line) for line in text.split("\n")]
    sentences = [sentence for line in by_line for sentence in line]
    paragraphs = ["".join(line) for line in by_line]
    letters = Counter(text)
    hiragana = sum(count for letter, count in letters.items() if "ぁ" <= letter <= "ゖ")
    katakana = sum(count for letter, count in letters.items() if "ァ" <= letter <= "ヺ")
    kanji = sum(count for letter, count in letters.items() if is_kanji(letter))
    kuten = sum(letters[letter] for letter in "。．！？")
    toten = sum(letters[letter] for letter in "、，")
    japanese = hiragana + katakana + kanji + kuten + toten
    cut = sum(sentence.strip().endswith(("・", "…")) for sentence in sentences)
    numbers: dict[str, float] = {
        "num_letters": len(text),
        "num_hiragana_letters": hiragana,
        "num_katakana_letters": katakana,
        "num_kanji_letters": kanji,
        "num_kuten": kuten,
        "num_toten": toten,
        "num_japanese_letters": japanese,
        "hiragana_fraction": share(hiragana, japanese),
        "katakana_fraction": share(katakana, japanese),
        "kanji_fraction": share(kanji, japanese),
        "kuten_fraction": share(kuten, japanese),
        "toten_fraction": share(toten, japanese),
        "japanese_fraction": share(japanese, len(text)),
        "avg_sentence_length": share(sum(map(len, sentences)), len(sentences)),
        "max_sentence_length": max(map(len, sentences), default=0),
        "num_sentences_ending_with_ellipsis": cut,
        "ellipsis_fraction": share(cut, len(sentences)),
    }
    for kind, spans in (("paragraph", paragraphs), ("sentence", sentences)):
        repeats = Counter(spans)
        again = {span: count - 1 for span, count in repeats.items()}
        numbers[f"duplicate_{kind}_fraction"] = share(sum(again.values()), len(spans))
        numbers[f"duplicate_{kind}_fraction_in_character"] = share(
            sum(len(span) * count for span, count in again.items()), sum(map(len, spans))
        )
    for n in (2, 3, 4):
        occurrences = ngrams_of(text, n)
        numbers[f"top_{n}gram_character_fraction"] = share(max(occurrences.values(), default=0), sum(occurrences.values()))
    for n in range(5, 11):
        occurrences = ngrams_of(text, n)
        repeated = sum(count > 1 for count in occurrences.values())
        numbers[f"duplicate_{n}gram_character_fraction"] = share(repeated, len(occurrences))
    return numbers


def letters_of_matches(text: str, expressions: Collection[str], allowed: Collection[str] = ()) -> int:
    """Letters of the longest expression at the leftmost place, then of the next after it; allowed ones match but do not count."""
    position, letters = 0, 0
    while position < len(text):
        longest = max((w for w in (*expressions, *allowed) if text.startswith(w, position)), key=len, default="")
        letters += len(longest) if longest not in allowed else 0
        position += max(len(longest), 1)
    return letters


def expression_numbers(text: str, ng: Collection[str], allowed: Collection[str], dating: Collection[str]) -> dict[str, float]:
    """The numbers of `ngword.py`, and those of the paper with allowed expressions."""
    japanese = swallow_numbers(text)["num_japanese_letters"]
    letters, not_allowed = letters_of_matches(text, ng), letters_of_matches(text, ng, allowed)
    return {
        "num_ng_letters": letters,
        "ng_fraction": share(letters, japanese),
        "num_ng_letters_not_allowed": not_allowed,
        "ng_character_fraction": share(not_allowed, len(text)),
        "has_dating_expression": any(expression in text for expression in dating),
    }


def gopher_numbers(text: str) -> dict[str, float]:
    """Repetition in characters: each character that a repeated n-gram covers is marked."""
    numbers = {}
    for n in (2, 3, 4):
        top = max(ngrams_of(text, n).values(), default=0)
        numbers[f"gopher_top_{n}gram_character_fraction"] = min(1.0, share(n * top, len(text)))
    for n in range(5, 11):
        occurrences = ngrams_of(text, n)
        covered = {
            position
            for start in range(len(text) - n + 1)
            if occurrences[text[start : start + n]] > 1
            for position in range(start, start + n)
        }
        numbers[f"gopher_duplicate_{n}gram_character_fraction"] = share(len(covered), len(text))
    return numbers


def line_numbers(text: str) -> dict[str, float]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return {
        "num_lines": len(lines),
        "mean_line_length": share(sum(map(len, lines)), len(lines)),
        "short_line_fraction": share(sum(len(line) < 20 for line in lines), len(lines)),
        "bullet_line_fraction": share(sum(line[0] in "•‣◦▪▶►-*・●○◎■□◆◇▼▽★☆※" for line in lines), len(lines)),
        "lines_ending_with_punctuation_fraction": share(sum(line[-1] in '.!?"”。．！？…」』）)' for line in lines), len(lines)),
    }


def other_numbers(text: str) -> dict[str, float]:
    """Symbols, digits and Latin letters by the properties of Unicode, which agree with the table except for rare characters."""
    japanese_marks = "。．！？、，"
    categories = {letter: unicodedata.category(letter) for letter in set(text) - set(japanese_marks)}
    symbols = sum(categories.get(letter, "")[:1] in ("P", "S") or categories.get(letter) == "No" for letter in text)
    latin = sum(unicodedata.name(letter, "").startswith(("LATIN ", "FULLWIDTH LATIN ")) for letter in text)
    return {
        "num_sentences": sum(len(sentences_of_line(line)) for line in text.split("\n")),
        "n_chars": len(text),
        "n_bytes": len(text.encode("utf-8")),
        "whitespace_fraction": share(sum(letter.isspace() for letter in text), len(text)),
        "symbol_fraction": share(symbols, len(text)),
        "digit_fraction": share(sum(letter in "0123456789０１２３４５６７８９" for letter in text), len(text)),
        "latin_fraction": share(latin, len(text)),
        "num_urls": text.count("http://") + text.count("https://"),
        "unique_character_fraction": share(len(set(text)), len(text)),
    }


def swallow_keeps(numbers: dict[str, float]) -> bool:
    """The decision of `apply_v1` in `quality.py` and in `ngword.py`."""
    long_enough = numbers["num_letters"] >= 400 and numbers["num_japanese_letters"] >= 400
    lines_differ = (
        max(numbers["duplicate_paragraph_fraction"], numbers["duplicate_sentence_fraction"]) <= 0.30
        and max(numbers[f"duplicate_{kind}_fraction_in_character"] for kind in ("paragraph", "sentence")) <= 0.20
    )
    limits = {2: 0.20, 3: 0.18, 4: 0.16, 5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
    ngrams_differ = all(
        numbers[f"{'top' if n < 5 else 'duplicate'}_{n}gram_character_fraction"] <= limit for n, limit in limits.items()
    )
    is_japanese = (
        numbers["hiragana_fraction"] >= 0.2 and numbers["katakana_fraction"] <= 0.5 and numbers["japanese_fraction"] >= 0.5
    )
    is_prose = (
        20 <= numbers["avg_sentence_length"] <= 90
        and numbers["max_sentence_length"] <= 200
        and numbers["ellipsis_fraction"] <= 0.2
    )
    return long_enough and lines_differ and ngrams_differ and is_japanese and is_prose and numbers["ng_fraction"] < 0.05
