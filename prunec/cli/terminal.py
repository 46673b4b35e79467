"""What a command says while it works, on standard error: warnings, each once, and what takes long."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, Callable, Iterable, Iterator, Optional, TextIO

from prunec.support.diagnostics import Diagnostic, render_all

if TYPE_CHECKING:
    from rich.progress import Progress

#: Seconds that a step may take before it is shown: what is quick would only flicker.
PATIENCE = 0.5


class Terminal:
    """Standard error, as one run of a command uses it.

    ``quiet`` shows no progress.  ``json`` keeps warnings back, for a document or for the list of diagnostics
    that :meth:`close` prints, and shows no progress either.
    """

    def __init__(self, quiet: bool = False, json: bool = False) -> None:
        self.quiet = quiet
        self.json = json
        self._seen: dict[Diagnostic, None] = {}
        self._kept: list[Diagnostic] = []

    def warn(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Prints warnings, or keeps them back; one that was given before is passed over."""
        new = [d for d in dict.fromkeys(diagnostics) if d not in self._seen]
        self._seen.update(dict.fromkeys(new))
        if self.json:
            self._kept += new
        elif new:
            print(render_all(new), file=sys.stderr)

    def take_warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings kept back, for a document that shows them: they are not printed then."""
        taken, self._kept = tuple(self._kept), []
        return taken

    def close(self, errors: Iterable[Diagnostic] = ()) -> None:
        """Prints the errors that a run ends with, if any, and before them the warnings kept back."""
        found = [*self.take_warnings(), *errors]
        if found and self.json:
            from prunec.support.formats import diagnostics_text

            print(diagnostics_text(found, "json"), end="", file=sys.stderr)
        elif found:
            print(render_all(found), file=sys.stderr)

    @contextmanager
    def step(self, name: str, total: Optional[int] = None, done: int = 0) -> Iterator[Callable[[], None]]:
        """Shows what is under way, while it is, to those who watch.

        Gives a function to call after each of ``total`` parts, ``done`` of which were there before.  Nothing
        else may be printed meanwhile.
        """
        if self.quiet or self.json or not is_terminal(sys.stderr):
            yield _nothing
            return
        line = _Line(name, total, done)
        try:
            yield line.advance
        finally:
            line.stop()


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that lines can be drawn on."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _nothing() -> None:
    """A part is done, and nobody watches."""


class _Line:
    """One line that shows a step, from ``PATIENCE`` seconds on."""

    def __init__(self, name: str, total: Optional[int], done: int) -> None:
        self._name, self._total, self._done = name, total, done
        self._shown: Optional[Progress] = None
        self._lock = Lock()
        self._timer = Timer(PATIENCE, self._show)
        self._timer.daemon = True
        self._timer.start()

    def _show(self) -> None:
        from rich import progress
        from rich.console import Console

        columns: list[progress.ProgressColumn] = [progress.SpinnerColumn()]
        columns.append(progress.TextColumn("{task.description}", markup=False))
        if self._total is None:
            columns.append(progress.TimeElapsedColumn())
        else:
            columns += [
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeRemainingColumn(),
            ]
        # What is printed is not redirected: nothing is, and a redirected stream is no terminal for others.
        shown = progress.Progress(
            *columns,
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        shown.add_task(self._name, total=self._total, completed=self._done)
        with self._lock:
            self._shown = shown
        shown.start()

    def advance(self) -> None:
        """One more part is done."""
        self._done += 1
        with self._lock:
            if self._shown is not None:
                self._shown.update(self._shown.task_ids[0], completed=self._done)

    def stop(self) -> None:
        """Takes the line away."""
        self._timer.cancel()
        self._timer.join()
        if self._shown is not None:
            self._shown.stop()
