"""Masks personal data in what is handed on beside a text: titles, addresses, fields that came with a record."""

import json
import re
from collections.abc import Sequence
from urllib.parse import unquote

from pipeline.pii.config import PiiConfig
from pipeline.pii.stage import find_personal_data_batch
from pipeline.text import edits

# A string in JSON without spaces, and the colon after it if it is the name of a member.
_STRING = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")(:?)')


def masked(texts: Sequence[str], config: PiiConfig) -> list[str]:
    """`texts` with masks in place of the personal data that `config` looks for, whatever it does with documents."""
    found = find_personal_data_batch(texts, config)
    return [edits.apply(text, edits.merge(of_text)) for text, of_text in zip(texts, found, strict=True)]


def masked_urls(urls: Sequence[str], config: PiiConfig) -> list[str]:
    """The same for addresses. One that has personal data in percent-encoding, such as `%40` for @, is returned decoded."""
    decoded = [unquote(url) for url in urls]
    return [
        safe if safe != plain else masked_url
        for plain, safe, masked_url in zip(decoded, masked(decoded, config), masked(urls, config), strict=True)
    ]


def masked_json(texts: Sequence[str], config: PiiConfig) -> list[str]:
    """The same for the strings in JSON texts without spaces, as `canonical_json` writes them; names and numbers stay."""
    # String by string in the text itself, since deep values could not be walked by recursion.
    strings = sorted({string for text in texts for string, colon in _STRING.findall(text) if not colon})
    safe = dict(zip(strings, masked([json.loads(string) for string in strings], config), strict=True))

    def replacement(match: re.Match[str]) -> str:
        return match[0] if match[2] else json.dumps(safe[match[1]], ensure_ascii=False)

    return [_STRING.sub(replacement, text) for text in texts]
