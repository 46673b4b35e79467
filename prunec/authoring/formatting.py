"""Files of rules and of policies in canonical text, written back in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prunec.language.parser import holds_policies, parse, parse_policies, read_source
from prunec.language.printer import format_file
from prunec.support.diagnostics import Diagnostic, PrunecError, Source, printable
from prunec.support.files import written


@dataclass(frozen=True)
class Formatted:
    """A file, its text, and its canonical text."""

    path: Path
    old: str
    new: str

    @property
    def changed(self) -> bool:
        """Whether the text is not canonical."""
        return self.old != self.new


def format_source(source: Source) -> str:
    """The canonical text of a file of rules or of policies.  Raises PrunecError with its syntax errors."""
    return format_file(parse_policies(source) if holds_policies(source) else parse(source))


def format_path(path: Path) -> Formatted:
    """The canonical text of a file; nothing is written.

    Raises PrunecError: P107 to P109 where it cannot be read, and its syntax errors.
    """
    source = read_source(path)
    return Formatted(path, source.text, format_source(source))


def write_text(path: Path, text: str) -> None:
    """Writes a file as a whole or not at all, with the permissions it had.  Raises PrunecError P515, P730."""
    try:
        with written(path.resolve()) as file:  # a link stays a link
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise PrunecError(
            Diagnostic(
                "P730",
                f"cannot write {printable(str(path))}",
                notes=(f"the system says: {error.strerror or error}",),
                help="check that the folder exists and that you may write to it",
            )
        ) from None
