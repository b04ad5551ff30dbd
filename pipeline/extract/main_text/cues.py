"""Finds phrases in the first words of a block that announce links, advertising and credits between the paragraphs of an article.

"Read also: ...", "Subscribe to our newsletter", "Photo: ...", "This page contains affiliate links" are in the same container as
the text, in the same elements and in whole sentences; only their words tell them apart. The phrases are those of any news site or
blog in these languages. A block that begins with one, or has one near its beginning, is not dropped for that alone: the trees
decide how much it counts.
"""

import functools

import numpy as np

from pipeline.compiled import njit
from pipeline.text.word_automaton import automaton_of

# By what they announce; lower case, Japanese, English, German, French, Spanish, Portuguese, Italian, Polish.
CUES = {
    "read_also": (
        "関連", "あわせて読", "合わせて読", "併せて読", "続きを読", "続きは", "おすすめ", "オススメ", "人気記事", "最新記事",
        "もっと見る", "一覧", "次の記事", "前の記事", "こちらも",
        "read more", "read also", "also read", "see also", "more on ", "more from", "related", "recommended", "you may also",
        "you might also", "don't miss",
        "weiterlesen", "lesen sie", "lies auch", "auch lesen", "mehr zum", "mehr dazu", "mehr infos", "weitere ",
        "auch interessant", "interessieren", "siehe auch", "passend dazu",
        "lire aussi", "lire la suite", "voir aussi", "sur le même",
        "lea más", "lea tambi", "leer más", "lee tambi", "interesar", "ver tambi", "vea más", "vea tambi", "mira tambi",
        "leia também", "leia mais", "veja também", "leggi anche", "czytaj", "zobacz",
    ),
    "subscribe": (
        "メルマガ", "購読", "フォロー", "会員登録", "無料登録", "ログイン", "ダウンロード", "チャンネル登録", "寄付",
        "newsletter", "subscri", "sign up", "signing up", "sign in", "log in", "login", "register", "follow us", "download",
        "our app", "donat", "support us", "become a member", "mailing", "rss", "whatsapp", "telegram",
        "abonn", "anmelden", "registrier", "spenden", "folge uns", "folgen sie", "inscri", "suscri", "únete", "síguenos",
        "descarg", "assine", "cadastr", "zapisz", "subskry",
    ),
    "advertising": (
        "スポンサー", "広告", "アフィリエイト", "提供元",
        "advertis", "sponsor", "affiliate", "promot", "commission", "paid ", "anzeige", "werbung", "provision",
        "annonce", "publicité", "publicidad", "anuncio", "pubblicit", "reklam",
    ),
    "credit": (
        "写真", "画像", "出典", "撮影", "提供", "引用",
        "photo", "image", "picture", "credit", "courtesy", "getty", "reuters", "afp", "shutterstock", "istock", "unsplash",
        "pixabay", "flickr", "wikimedia", "©", "(c)", "source", "foto", "bild", "abbildung", "grafik", "quelle", "crédit",
        "fuente", "imagen",
    ),
}  # fmt: skip
CUE_FEATURES = tuple(f"announces_{kind}" for kind in CUES)
_HEAD = 60  # characters of a block that are searched: about its first line


def measure_cues(texts: list[str]) -> np.ndarray:
    """For each text and kind of CUES: 2 if the text begins with a phrase, 1 if its first line contains one, else 0; uint8, shape
    (texts, kinds). All first lines are searched as one string, each ended by a line feed."""
    heads = [text[:_HEAD].replace("\n", " ") for text in texts]
    lines = np.frombuffer("\n".join([*heads, ""]).lower().encode("utf-8", "surrogatepass"), dtype=np.uint8)
    found: np.ndarray = _search(lines, len(texts), *_tables())
    return found


@functools.cache
def _tables() -> tuple[np.ndarray, ...]:
    """The symbol of every byte (0 for bytes in no phrase), and the automaton of the phrases."""
    used = sorted({byte for phrases in CUES.values() for phrase in phrases for byte in phrase.encode()})
    symbols = np.zeros(256, dtype=np.uint8)
    symbols[used] = np.arange(1, len(used) + 1)
    words = ([symbols[list(phrase.encode())].tolist() for phrase in phrases] for phrases in CUES.values())
    return symbols, *automaton_of(words, len(used) + 1)


@njit(nogil=True)
def _search(
    lines: np.ndarray,
    count: int,
    symbols: np.ndarray,
    next_SA: np.ndarray,
    bits_S: np.ndarray,
    whole_bits_S: np.ndarray,
    lengths_S: np.ndarray,
) -> np.ndarray:
    found = np.zeros((count, len(CUE_FEATURES)), dtype=np.uint8)
    line = start = state = inside = beginning = 0
    for position in range(len(lines)):
        byte = lines[position]
        if byte != 0x0A:
            state = next_SA[state, symbols[byte]]
            inside |= bits_S[state]
            if lengths_S[state] == position + 1 - start:
                beginning |= whole_bits_S[state]
            continue
        for kind in range(found.shape[1]):
            found[line, kind] = 2 if beginning >> kind & 1 else inside >> kind & 1
        line += 1
        start = position + 1
        state = inside = beginning = 0
    return found
