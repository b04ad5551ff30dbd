"""Text from the Web on a terminal."""


def printable(text: str) -> str:
    """`text` without what would steer a terminal: each control character, such as an escape, becomes a space."""
    return "".join(character if character.isprintable() else " " for character in text)
