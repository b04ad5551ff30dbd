"""The executor for one machine: worker processes that are reused, watched, and replaced when they die."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pipeline.engine.executor import Outcome
from pipeline.engine.task import Perform, Result, Task
from pipeline.engine.worker_progress import BYTES, COMPILING, NUMBERS, POSITION, RECORDS, SINCE, Working, share
from pipeline.errors import Kind, described, kind_of

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess


# Loading cached code takes one or two seconds, and ten times as long on a machine with ten times as many programs as cores.
SECONDS_OF_LOADING = 20.0


class LocalExecutor:
    """Runs tasks in `workers` processes of this machine; they are reused between calls and replaced when they die."""

    name = "local"

    def __init__(self, workers: int, watch: Callable[[Working], None] = lambda working: None) -> None:
        """watch: called about once a second while tasks run."""
        self.workers = workers
        self._watch = watch
        self._past_records = self._past_bytes = self._total_bytes = 0
        # Spawned, not forked: a fork would copy the locks of DuckDB's and Arrow's threads in whatever state they are.
        self._context = multiprocessing.get_context("spawn")
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, tuple[Task[Any], float]] = {}

    def run(self, perform: Perform, tasks: Iterable[Task[Any]], patience: float) -> Iterator[Outcome]:
        """See `Executor.run`. Tasks are handed out in order, each to the first free worker."""
        tasks = list(tasks)
        self._past_records = self._past_bytes = 0
        self._total_bytes = sum(_bytes_of(task) for task in tasks)
        pending = iter(tasks)
        exhausted = False
        while True:
            while not exhausted and len(self._busy) < self.workers:
                task = next(pending, None)
                if task is None:
                    exhausted = True
                    break
                worker = self._idle.pop() if self._idle else _Worker(self._context)
                self._busy[worker] = (task, time.monotonic())
                worker.send(perform, task)
            if not self._busy:
                return
            yield from self._collect(patience)
            self._watch(self._working())

    def _working(self) -> Working:
        records = self._past_records + sum(worker.counted(RECORDS) for worker in self._busy)
        n_bytes = self._past_bytes + sum(worker.counted(BYTES) for worker in self._busy)
        return Working(records, n_bytes, self._total_bytes, any(worker.is_compiling() for worker in self._busy))

    def _collect(self, patience: float) -> Iterator[Outcome]:
        """Wait up to one second for a worker to end its task or die; yield the outcomes available then."""
        watched = {handle: worker for worker in self._busy for handle in worker.handles()}
        ready = {watched[handle] for handle in wait(list(watched), timeout=1.0) if handle in watched}
        for worker in list(self._busy):
            stuck = worker not in ready and worker.stands_still(patience)
            if worker not in ready and not stuck:
                continue
            task, began = self._busy.pop(worker)
            seconds = time.monotonic() - began
            answer = None if stuck else worker.answer()
            if answer is None:
                position = worker.position()
                died = "timeout" if stuck else worker.how_it_ended()
                worker.kill()
                yield Outcome(task, died=died, position=position, seconds=seconds)
                continue
            self._past_records += worker.counted(RECORDS)
            self._past_bytes += _bytes_of(task) or worker.counted(BYTES)
            self._idle.append(worker)
            yield Outcome(task, *answer, seconds=seconds)

    def close(self) -> None:
        """Kill the workers; an unfinished unit leaves only temporary files."""
        for worker in [*self._idle, *self._busy]:
            worker.kill()
        self._idle.clear()
        self._busy.clear()


class _Answer(NamedTuple):
    """What a worker sends back: the fields of `Outcome` that follow `task`."""

    result: Result | None
    error: str | None = None
    kind: Kind = "fault"
    details: str = ""


class _Worker:
    """A process, the pipe to it, and the numbers that it shares (`worker_progress`)."""

    def __init__(self, context: multiprocessing.context.SpawnContext) -> None:
        self.progress = context.RawArray("d", NUMBERS)
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, self.progress), daemon=True)
        self.process.start()
        theirs.close()

    def send(self, perform: Perform, task: Task[Any]) -> None:
        """Send a task. If the worker died while idle, `answer` shows it."""
        self.progress[:] = [-1, *[0] * (NUMBERS - 1)]
        try:
            self.pipe.send((perform, task))
        except (BrokenPipeError, ConnectionResetError):
            return

    def handles(self) -> list[Any]:
        """The handles to wait on: they become ready when the worker answers or dies."""
        return [self.pipe, self.process.sentinel]

    def answer(self) -> "_Answer | None":
        """What the worker sent; None if it died without an answer."""
        try:
            return self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, ConnectionResetError):
            return None

    def position(self) -> int:
        """The record that the worker marked last; -1 between records."""
        return int(self.progress[POSITION])

    def counted(self, which: int) -> int:
        """RECORDS begun or BYTES passed in the present task."""
        return int(self.progress[which])

    def is_compiling(self) -> bool:
        """Whether the worker has been preparing its code for longer than loading it takes."""
        since = float(self.progress[COMPILING])
        return since > 0 and time.monotonic() - since > SECONDS_OF_LOADING

    def stands_still(self, patience: float) -> bool:
        """Whether the worker has been inside one record for longer than `patience` seconds."""
        since = float(self.progress[SINCE])
        return since > 0 and time.monotonic() - since > patience

    def how_it_ended(self) -> Literal["crash", "killed"]:
        """How a dead or dying process ended: killed from outside (SIGKILL, SIGTERM), or crashed by itself."""
        self.process.join()
        return "killed" if self.process.exitcode in (-signal.SIGKILL, -signal.SIGTERM) else "crash"

    def kill(self) -> None:
        """Kill the process and close the pipe."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, progress: Any) -> None:
    """The worker's main loop: receive a task, perform it, answer; exit with the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver handles Ctrl-C and kills its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    share(progress)

    def mark(position: int) -> None:
        progress[POSITION] = position
        progress[SINCE] = time.monotonic() if position >= 0 else 0
        progress[RECORDS] = max(progress[RECORDS], position + 1)

    while True:
        try:
            perform, task = pipe.recv()
        except EOFError:
            return
        try:
            answer = _Answer(perform(task, mark))
        except Exception as error:  # noqa: BLE001  the boundary of the process: every error is reported to the driver
            answer = _Answer(None, described(error), kind_of(error), traceback.format_exc())
        mark(-1)
        pipe.send(answer)


def _bytes_of(task: Task[Any]) -> int:
    """The bytes of a task's input, 0 if they are unknown without asking a server."""
    source = task.source
    if source is None or "://" in source.uri or source.uri.endswith(".parquet"):
        return 0
    if source.end >= 0:
        return source.end - source.start
    try:
        return Path(source.uri).stat().st_size - source.start
    except OSError:
        return 0


def _end_with_parent() -> None:
    """Exit when the driver ends, so that a killed driver leaves no workers running."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
