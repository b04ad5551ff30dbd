"""`python -m trainer.generate CHECKPOINT --prompt TEXT`: continue a prompt.

The model reads the delimiter before the prompt, as before each document that it was trained on; so an empty prompt asks for a
document from its start. A text ends when the model chooses the delimiter again.
"""

import sys
from pathlib import Path

import click

from model.config import ModelError
from model.generation.beam_search import beam_search
from model.generation.generate import generate
from model.generation.sampling import Sampling
from model.gpt import GPT
from pipeline.terminal import show
from pipeline.tokens.tokenizer import Tokenizer, TokenizerError
from trainer.errors import TrainerError
from trainer.flags import TrainerCommand
from trainer.run.texts import TEMPERATURE, TextStream, load, prompt_ids

INTERRUPTED = 130  # as shells report a program ended by Ctrl-C


@click.command(cls=TrainerCommand, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="Text to continue; - reads it from standard input, without a final newline.")
@click.option("--tokens", type=click.IntRange(min=1), default=200, help="Tokens to add at most; the text may end earlier.")
@click.option("--temperature", type=click.FloatRange(min=0), help=f"0: the likeliest token each time.  [default: {TEMPERATURE}]")
@click.option("--top-k", type=click.IntRange(min=1), help="Choose among the k likeliest tokens.")
@click.option(
    "--top-p",
    type=click.FloatRange(min=0, max=1, min_open=True),
    help="Choose among the fewest tokens whose probability reaches p.",
)
@click.option("--beams", type=click.IntRange(min=1), help="Beam search with this many texts, instead of drawing.")
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
    """Continue a prompt with the model in CHECKPOINT, the folder of a checkpoint or a run, or an exported one."""
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
            show("\n\n".join(texts))
        else:
            _write_samples(
                model, tokenizer, start, tokens, Sampling.model_validate({"temperature": TEMPERATURE, **chosen}), samples
            )
    except (TrainerError, ModelError, TokenizerError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        show("")
        sys.exit(INTERRUPTED)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise TrainerError(f"standard input is not UTF-8 ({error}); convert the prompt") from error


def _write_samples(model: GPT, tokenizer: Tokenizer, start: list[int], tokens: int, sampling: Sampling, samples: int) -> None:
    """Write all texts, which are generated together: the first as it comes, the others after it."""
    streams = [TextStream(tokenizer) for _ in range(samples)]
    texts = [stream.push(start) for stream in streams]
    show(texts[0], nl=False)
    for step in generate(model, [start] * samples, tokens, sampling, tokenizer.delimiter_id, tokenizer.vocabulary_size):
        pieces = ["" if token is None else stream.push([token]) for stream, token in zip(streams, step, strict=True)]
        show(pieces[0], nl=False)
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    rests = [stream.finish() for stream in streams]
    show(rests[0])
    for text, rest in zip(texts[1:], rests[1:], strict=True):
        show(f"\n{text}{rest}")


if __name__ == "__main__":
    main()
