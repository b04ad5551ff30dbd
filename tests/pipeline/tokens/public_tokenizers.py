"""Tokenizers as public models have them, made by Hugging Face's library: byte pairs like Qwen's and Llama 3's, and unigram pieces
with byte fallback like llm-jp's."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

# Llama 3's and Qwen2's, https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py (cl100k_base).
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXTS = [f"猫が{number}匹、犬も{number}匹います。The cat sat on the mat.\n\tdef f(x): return {number}\n" for number in range(40)]


def byte_pairs(normalizer: normalizers.Normalizer | None = None) -> Tokenizer:
    """Byte-level pairs, with the tokens that Llama 3 puts before each text and one that Qwen3 does not call special."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False, special_tokens=[])
    )
    tokenizer.add_special_tokens(["<|begin|>", "<|endoftext|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    begin = tokenizer.token_to_id("<|begin|>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", begin)])
    tokenizer.enable_truncation(8)
    return tokenizer


def unigram() -> Tokenizer:
    """Unigram pieces in SentencePiece's order: unknown, beginning, end, bytes, and then the learned ones."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    learned = Tokenizer(models.Unigram())
    learned.normalizer = normalizers.Replace(" ", "▁")
    learned.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=150, show_progress=False))
    pieces = [(piece, score) for piece, score in json.loads(learned.to_str())["model"]["vocab"] if "\n" not in piece]
    vocabulary = [(name, 0.0) for name in ("<unk>", "<s>", "</s>", *bytes_)] + pieces
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = learned.normalizer
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


PUBLIC: dict[str, tuple[Callable[[], Tokenizer], str]] = {
    "byte pairs": (cache(byte_pairs), "<|endoftext|>"),
    "unigram": (cache(unigram), "</s>"),
}


def public_folder(folder: Path, kind: str = "byte pairs") -> Path:
    """The tokenizer's files in the folder of a public model, which is made."""
    make, end = PUBLIC[kind]
    folder.mkdir(parents=True, exist_ok=True)
    make().save(str(folder / "tokenizer.json"))
    # As Llama's files write it: a token with its flags.
    config = {"eos_token": {"content": end, "lstrip": False}, "chat_template": "{{ messages }}", "tokenizer_class": "Any"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
