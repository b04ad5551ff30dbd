"""What the first words of a block announce: phrases that begin what publishers put between and below the paragraphs of articles.

"Read also: ...", "Subscribe to our newsletter", "Photo: ...", "This page contains affiliate links" stand in the same container as
the text, in elements of the same kind and as whole sentences, so that only their words tell them apart. The phrases are what
any news site or blog in these languages uses; a block that begins with one, or has one near its beginning, is not out for
that: how much it counts is for the trees to say.
"""

from bisect import bisect_right
from itertools import accumulate

import numpy as np

# By what is announced; lower case, Japanese, English, German, French, Spanish, Portuguese, Italian, Polish.
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
_HEAD = 60  # characters of a block that are searched: about the first line of it
_PHRASES = [(kind, phrase) for kind, phrases in enumerate(CUES.values()) for phrase in phrases]


def measure_cues(texts: list[str]) -> np.ndarray:
    """For each text and kind of CUES 2 where it begins with a phrase, 1 where one is in its first line, 0 else; uint8, shape
    (texts, kinds). All first lines are searched as one string, a phrase after the other, which is faster than text by text."""
    found = np.zeros((len(texts), len(CUES)), dtype=np.uint8)
    heads = [text[:_HEAD].lower().replace("\n", " ") for text in texts]
    lines = "\n".join(heads)
    starts = list(accumulate((len(head) + 1 for head in heads), initial=0))
    for kind, phrase in _PHRASES:
        position = lines.find(phrase)
        while position >= 0:
            number = bisect_right(starts, position) - 1
            found[number, kind] = max(found[number, kind], 2 if starts[number] == position else 1)
            position = lines.find(phrase, position + 1)
    return found
