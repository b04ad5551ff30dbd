"""Says in which encoding bytes are that should be UTF-8, so that the user knows what to convert."""

# Python's codec by the name that users know, in the order in which they are tried.
_CODECS = {"EUC-JP": "euc_jp", "Shift_JIS": "cp932"}
_SAMPLE_BYTES = 4096
_MIN_KANA_SHARE = 0.1  # of all characters above ASCII: misread bytes have under 0.02, Japanese prose 0.5 to 0.7
_MIN_NUL_SHARE = 0.3  # of every other byte, in UTF-16 whose names and signs are ASCII


def encoding_hint(content: bytes) -> str:
    """What is wrong with `content`, and what to do where its encoding can be told."""
    sample = content[:_SAMPLE_BYTES]
    if not sample.strip(b"\0\r\n"):
        return "NULs alone, as a crash leaves them"
    if max(sample[0::2].count(0), sample[1::2].count(0)) > _MIN_NUL_SHARE * len(sample) / 2:
        return _convert("UTF-16", "UTF-16")
    for name, codec in _CODECS.items():
        text = sample.decode(codec, "ignore")
        above_ascii = sum(character > "\x7f" for character in text)
        kana = sum("\u3041" <= character <= "\u30fa" for character in text)
        if kana > _MIN_KANA_SHARE * above_ascii:
            return _convert(name, codec.upper().replace("_", "-"))
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8: byte 0x{content[error.start]:02x} at {error.start} of it"
    return f"a NUL at byte {content.find(0)} of it"


def _convert(name: str, codec: str) -> str:
    return f"not UTF-8 but {name}; convert the file, such as with: iconv -f {codec} -t UTF-8"
