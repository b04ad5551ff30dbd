"""The speed of generation, one text at a time, compared with transformers' `generate` with the same weights in fp32 and bf16.

    python -m benchmarks.generation [--tokens N] [--threads N] [--compiled]

All programs continue the same prompt with the GPT-2 of `benchmarks/training_step.py`, on one thread by default. Greedy choice
must give the ids that transformers gives in fp32. The weights are initial ones, except for the gain of the last norm, which
makes the next token as certain as it is for a trained model; the number of tokens in a nucleus depends on that. All guesses
of the 8-bit copy are right, as are 99 of 100 for trained models. `--compiled` adds transformers with a static cache and
torch.compile, which compiles for minutes. The last line is the lower bound for one token at a time: each token reads all
weights once, and the line gives the time of one pass over as much memory.
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
# Logits of initial weights deviate by 0.45; at 4.5, nine tenths of the probability is on a few dozen of 32,000 tokens.
CERTAINTY = 10.0
# Per way to choose: the settings here and those of transformers, where 0 means no top-k.
WAYS: dict[str, tuple[Sampling, dict[str, Any]]] = {
    "greedy": (Sampling(temperature=0), {"do_sample": False}),
    "temperature 0.8": (Sampling(temperature=0.8), {"do_sample": True, "temperature": 0.8, "top_k": 0}),
    "top-k 50": (Sampling(temperature=0.8, top_k=50), {"do_sample": True, "temperature": 0.8, "top_k": 50}),
    "top-p 0.9": (Sampling(temperature=0.8, top_p=0.9), {"do_sample": True, "temperature": 0.8, "top_p": 0.9, "top_k": 0}),
}


def write_model(folder: Path) -> None:
    """Write the model that both programs use into `folder`."""
    model = GPT(small_gpt2())
    initialize(model, 0)
    with torch.no_grad():
        model.norm.get_parameter("weight").mul_(CERTAINTY)
    write_hugging_face(model, folder)


def own_generation(folder: Path, sampling: Sampling, tokens: int) -> Program:
    """A program that returns the ids that this project generates, as `trainer.generate` does."""
    model = read_hugging_face(folder)
    return lambda: [token for (token,) in generate(model, [PROMPT], tokens, sampling, None)]


def peers_generation(
    folder: Path, settings: dict[str, Any], tokens: int, precision: torch.dtype = torch.float32, *, compiled: bool = False
) -> Program | None:
    """A program that returns the ids that transformers generates, None if it is not installed. A text never ends early."""
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
    """The median time in which one thread reads `n_bytes` of memory."""
    numbers = torch.ones(n_bytes // 4)
    seconds = []
    for _ in range(passes):
        started = time.process_time()
        numbers.sum()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def seconds_of_all_threads(programs: dict[str, Program], rounds: int = 5) -> dict[str, float]:
    """The shortest wall-clock time of each program, called in turn. With several threads, processor time includes waiting."""
    least = dict.fromkeys(programs, float("inf"))
    for _ in range(rounds):
        for name, program in programs.items():
            started = time.perf_counter()
            program()
            least[name] = min(least[name], time.perf_counter() - started)
    return least


def main() -> None:
    """Print a table per way to choose, and the lower bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # The default of `python -m trainer.generate`.
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
