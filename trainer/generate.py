"""`python -m trainer.generate CHECKPOINT --prompt TEXT`: text that goes on where the prompt ends.

What the model reads begins with the delimiter, as each document that it was trained on does; so an empty prompt asks for a
document from its start. A text ends where the model chooses the delimiter again.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from model.config import ModelError
from model.generation.generate import beam_search, generate
from model.generation.sampling import Sampling
from model.gpt import GPT
from model.hugging_face.folder import CONFIG_FILE, read_hugging_face
from model.weights import TOKENIZER_FOLDER, load_model
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.tokenizer import Tokenizer, TokenizerError
from trainer.checkpoints.folder import open_checkpoint
from trainer.errors import TrainerError
from trainer.machine.device import chosen_device

INTERRUPTED = 130  # as a shell reports a program ended by Ctrl-C
# Between the loops of the likeliest tokens and the rambling of the whole distribution.
TEMPERATURE = 0.8
_REPLACEMENT = "\ufffd"


def load(path: Path) -> tuple[GPT, Tokenizer]:
    """Model and tokenizer of a checkpoint, of a run's newest checkpoint, or of an exported folder.

    Raises TrainerError, ModelError or TokenizerError.
    """
    device = chosen_device("auto")
    if (path / CONFIG_FILE).exists():
        model, tokenizer = read_hugging_face(path).to(device), load_tokenizer(path)
    else:
        checkpoint = open_checkpoint(path).path
        model, tokenizer = load_model(checkpoint, device), load_tokenizer(checkpoint / TOKENIZER_FOLDER)
    if tokenizer.vocabulary_size > model.config.vocabulary_size:
        raise TrainerError(
            f"{path}: the tokenizer has {tokenizer.vocabulary_size} ids, the model knows {model.config.vocabulary_size}; "
            "they do not belong together, copy the folder again"
        )
    return model, tokenizer


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """What the model is given to read. Raises TokenizerError for a text that UTF-8 cannot write."""
    ids: list[int] = tokenizer.encode_batch([prompt])[0].tolist()
    return [tokenizer.delimiter_id, *ids]


def sample_text(model: GPT, tokenizer: Tokenizer, prompt: str, tokens: int, *, seed: int) -> str:
    """What follows the prompt: up to `tokens` tokens, drawn at the usual temperature."""
    return text_after(model, tokenizer, prompt, tokens, Sampling(temperature=TEMPERATURE, seed=seed))


def text_after(model: GPT, tokenizer: Tokenizer, prompt: str, tokens: int, sampling: Sampling) -> str:
    """What follows the prompt: up to `tokens` tokens. Raises TokenizerError, ModelError."""
    start = prompt_ids(tokenizer, prompt)
    steps = generate(model, [start], tokens, sampling, tokenizer.delimiter_id, tokenizer.vocabulary_size)
    text = tokenizer.decode([*start, *(token for (token,) in steps if token is not None)])
    return text[len(tokenizer.decode(start)) :]


class TextStream:
    """Text from ids as they come, in pieces that later ids do not change.

    A character may be spelled by several tokens of a byte each. While it is unfinished, decoding shows U+FFFD at the end, and
    nothing is handed out until something else follows.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._told: list[int] = []  # the last ids whose text was handed out: some tokenizers drop a space at a text's start
        self._held: list[int] = []

    def push(self, ids: Sequence[int]) -> str:
        """What `ids` add to the text."""
        self._held.extend(ids)
        piece = self.finish()
        if not piece or piece.endswith(_REPLACEMENT):
            return ""
        self._told, self._held = self._held, []
        return piece

    def finish(self) -> str:
        """What is held back."""
        return self._tokenizer.decode(self._told + self._held)[len(self._tokenizer.decode(self._told)) :]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--prompt", default="", help="Text to go on from; - reads it from standard input, less one last line end.")
@click.option("--tokens", type=click.IntRange(min=1), default=200, help="Tokens to add at most; a document's end ends earlier.")
@click.option("--temperature", type=click.FloatRange(min=0), help=f"0: the likeliest token each time.  [default: {TEMPERATURE}]")
@click.option("--top-k", type=click.IntRange(min=1), help="Choose among the k likeliest tokens.")
@click.option(
    "--top-p",
    type=click.FloatRange(min=0, max=1, min_open=True),
    help="Choose among the fewest tokens whose probability reaches p.",
)
@click.option("--beams", type=click.IntRange(min=1), help="Search for likely texts, so many at a time, instead of drawing.")
@click.option("--seed", type=int, help="The same seed gives the same texts.  [default: 0]")
@click.option("--samples", type=click.IntRange(min=1), default=1, help="Texts to write; with beams, the best ones.")
def main(
    checkpoint: Path,
    prompt: str,
    tokens: int,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    beams: int | None,
    seed: int | None,
    samples: int,
) -> None:
    """Write what the model in CHECKPOINT makes of a prompt: a checkpoint's folder, a run's, or an exported one."""
    given = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    chosen = {key: value for key, value in given.items() if value is not None}
    if beams is not None and chosen:
        raise click.UsageError(f"--beams draws nothing: leave out --{min(chosen).replace('_', '-')}, or leave out --beams")
    if beams is not None and samples > beams:
        raise click.UsageError(f"--beams {beams} finds {beams} texts at most: --samples {samples} needs as many beams")
    try:
        if prompt == "-":
            prompt = _standard_input()
        model, tokenizer = load(checkpoint)
        start = prompt_ids(tokenizer, prompt)
        if beams is not None:
            found = beam_search(model, start, beams, tokens, tokenizer.delimiter_id, vocabulary_size=tokenizer.vocabulary_size)
            texts = [tokenizer.decode([*start, *ids]) for ids, _ in found[:samples]]
            click.echo("\n\n".join(texts))
        else:
            _write_samples(
                model, tokenizer, start, tokens, Sampling.model_validate({"temperature": TEMPERATURE, **chosen}), samples
            )
    except (TrainerError, ModelError, TokenizerError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo()
        sys.exit(INTERRUPTED)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise TrainerError(f"standard input is no UTF-8 ({error}); convert the prompt") from error


def _write_samples(model: GPT, tokenizer: Tokenizer, start: list[int], tokens: int, sampling: Sampling, samples: int) -> None:
    """All texts are made at once; the first is written as it comes, the others when it is done."""
    streams = [TextStream(tokenizer) for _ in range(samples)]
    texts = [stream.push(start) for stream in streams]
    click.echo(texts[0], nl=False)
    for step in generate(model, [start] * samples, tokens, sampling, tokenizer.delimiter_id, tokenizer.vocabulary_size):
        pieces = ["" if token is None else stream.push([token]) for stream, token in zip(streams, step, strict=True)]
        click.echo(pieces[0], nl=False)
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    rests = [stream.finish() for stream in streams]
    click.echo(rests[0])
    for text, rest in zip(texts[1:], rests[1:], strict=True):
        click.echo(f"\n{text}{rest}")


if __name__ == "__main__":
    main()
