"""Mistakes on the command line: told in two lines, with what is near to what was typed."""

from __future__ import annotations

import argparse
from typing import Any, Iterable, NoReturn, Optional, Sequence

from prunec.support.diagnostics import Diagnostic, printable


class UsageError(ValueError):
    """A command line that cannot be read, or options that do not go together."""

    def __init__(self, headline: str, help: str) -> None:
        super().__init__(headline)
        self.diagnostic = Diagnostic("P001", headline, help=help)


class CommandParser(argparse.ArgumentParser):
    """Raises :class:`UsageError` where argparse would print how the command is used and end the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", self._see_help())

    def parse_args(  # type: ignore[override]  # without the overloads for namespaces of one's own
        self, args: Optional[Sequence[str]] = None, namespace: Any = None
    ) -> argparse.Namespace:
        """The options, of this command or of the one that is named."""
        options, rest = self.parse_known_args(args, namespace)
        if rest:
            getattr(options, "parser", self).refuse(rest)
        assert isinstance(options, argparse.Namespace)
        return options

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Raises UsageError for words that belong to no option."""
        option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        if option is None:
            told = " ".join(printable(word, 60) for word in words[:3])
            raise UsageError(f"{self.prog}: nothing is expected where it says '{told}'", self._see_help())
        known = [name for name in self._option_string_actions if name.startswith("--")]
        raise UsageError(
            f"{self.prog} has no option '{printable(option, 60)}'", _near(option, known) or self._see_help()
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = None if action.choices is None else list(map(str, action.choices))
        if choices is None or value in choices:
            return
        name = action.metavar if isinstance(action.metavar, str) else max(action.option_strings, key=len)
        what = f"there is no {name.lower()} '{printable(str(value), 60)}'"
        if action.option_strings:
            what = f"argument {name}: '{printable(str(value), 60)}' is none of its values"
        every = f"there are {', '.join(choices)}"
        raise UsageError(f"{self.prog}: {what}", _near(str(value), choices) or every)

    def _see_help(self) -> str:
        return f"`{self.prog} --help` says what it takes"


def _near(word: str, known: Iterable[str]) -> str:
    """A question whether something known was meant; nothing where nothing is near."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), 1, 0.6)
    return f"did you mean `{close[0]}`?" if close else ""
