"""The speed of generation, one text at a time, beside transformers' `generate` with the same weights in fp32 and in bf16.

    python -m benchmarks.generation [--tokens N] [--threads N] [--compiled]

The GPT-2 of `benchmarks/training_step.py` goes on from the same prompt in all, on one thread unless told otherwise; greedy choice
must give the ids that transformers gives in fp32. Its weights are initial ones, but for the gain of the last norm, which makes
the next token as certain as a trained model is of it: of that depends how many tokens a nucleus has. All its guesses in 8
bits are right, of trained models 99 of 100. `--compiled` adds transformers with a static cache and
torch.compile, which compiles for minutes. The last line is the floor of one token at a time: each reads all weights once,
and this is how long one pass over as much memory takes.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.training_step import small_gpt2
from benchmarks.turns import Program, compare, console
from model.generation.generate import generate
from model.generation.sampling import Sampling
from model.gpt import GPT
from model.hugging_face.folder import read_hugging_face, write_hugging_face
from model.initialization import initialize

PROMPT = list(range(100, 132))
# Logits of initial weights deviate by 0.45; by 4.5, nine tenths of the probability lie on some tens of 32,000 tokens.
CERTAINTY = 10.0
# Of each, the settings here and as transformers calls them; 0 is its word for no top-k.
WAYS: dict[str, tuple[Sampling, dict[str, Any]]] = {
    "greedy": (Sampling(temperature=0), {"do_sample": False}),
    "temperature 0.8": (Sampling(temperature=0.8), {"do_sample": True, "temperature": 0.8, "top_k": 0}),
    "top-k 50": (Sampling(temperature=0.8, top_k=50), {"do_sample": True, "temperature": 0.8, "top_k": 50}),
    "top-p 0.9": (Sampling(temperature=0.8, top_p=0.9), {"do_sample": True, "temperature": 0.8, "top_p": 0.9, "top_k": 0}),
}


def write_model(folder: Path) -> None:
    """Write the model of both into `folder`."""
    model = GPT(small_gpt2())
    initialize(model, 0)
    with torch.no_grad():
        model.norm.get_parameter("weight").mul_(CERTAINTY)
    write_hugging_face(model, folder)


def own_generation(folder: Path, sampling: Sampling, tokens: int) -> Program:
    """What gives the ids that this project generates, as `trainer.generate` does."""
    model = read_hugging_face(folder)
    return lambda: [token for (token,) in generate(model, [PROMPT], tokens, sampling, None)]


def peers_generation(
    folder: Path, settings: dict[str, Any], tokens: int, precision: torch.dtype = torch.float32, *, compiled: bool = False
) -> Program | None:
    """What gives the ids that transformers generates, None where it is not installed. A text never ends early."""
    if importlib.util.find_spec("transformers") is None:
        return None
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=precision)
    prompt_BT = torch.tensor([PROMPT])
    length: dict[str, Any] = {"max_new_tokens": tokens, "min_new_tokens": tokens, "pad_token_id": 0}
    if compiled:
        model.forward = torch.compile(model.forward)
        length["cache_implementation"] = "static"

    def program() -> list[int]:
        ids_BT = model.generate(prompt_BT, attention_mask=torch.ones_like(prompt_BT), **length, **settings)
        ids: list[int] = ids_BT[0, len(PROMPT) :].tolist()
        return ids

    return program


def seconds_of_a_pass(n_bytes: int, passes: int = 9) -> float:
    """How long it takes one thread to read as much memory as `n_bytes`, the median."""
    numbers = torch.ones(n_bytes // 4)
    seconds = []
    for _ in range(passes):
        started = time.process_time()
        numbers.sum()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def seconds_of_all_threads(programs: dict[str, Program], rounds: int = 5) -> dict[str, float]:
    """The least seconds by the clock of each program, called in turn: of several threads, processor time counts the waiting."""
    least = dict.fromkeys(programs, float("inf"))
    for _ in range(rounds):
        for name, program in programs.items():
            started = time.perf_counter()
            program()
            least[name] = min(least[name], time.perf_counter() - started)
    return least


def main() -> None:
    """Print a table for each way to choose, and the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # As many as `python -m trainer.generate` makes unless told otherwise.
    parser.add_argument("--tokens", type=int, default=200, help="generated at each call")
    parser.add_argument("--threads", type=int, default=1, help="with more than one, time is the least by the clock")
    parser.add_argument("--compiled", action="store_true", help="transformers compiled as well, for greedy choice")
    arguments = parser.parse_args()
    tokens = arguments.tokens
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory(prefix="generation-") as name:
        folder = Path(name)
        write_model(folder)
        for way, (sampling, settings) in WAYS.items():
            programs: dict[str, Program | None] = {"this project, fp32": own_generation(folder, sampling, tokens)}
            for precision in (torch.float32, torch.bfloat16):
                word = "fp32" if precision == torch.float32 else "bf16"
                programs[f"transformers, {word}"] = peers_generation(folder, settings, tokens, precision)
                if arguments.compiled and way == "greedy":
                    programs[f"transformers, {word}, compiled"] = peers_generation(
                        folder, settings, tokens, precision, compiled=True
                    )
            own, theirs = programs["this project, fp32"], programs["transformers, fp32"]
            if way == "greedy" and own is not None and theirs is not None and own() != theirs():
                sys.exit("greedy choice gives other ids than transformers; the models are not the same")
            if arguments.threads == 1:
                compare(way, "tokens", tokens, programs)
                continue
            present = {name: program for name, program in programs.items() if program is not None}
            for name, seconds in seconds_of_all_threads(present).items():
                console.print(f"{way}, {arguments.threads} threads: {name} {tokens / seconds:,.0f} tokens/s")
        weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    floor = seconds_of_a_pass(weights)
    console.print(f"floor: {weights / 1e6:.0f} MB of weights read in {1000 * floor:.1f} ms, {1 / floor:.0f} tokens/s")


if __name__ == "__main__":
    main()
