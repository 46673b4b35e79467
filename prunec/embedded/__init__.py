"""What cuts the parameters of a model out of its files, written once for two places.

prunec imports these modules, and puts their text into the scripts that it writes.  A script has to stand
alone: so a module here imports the standard library, numpy, the package of its format, and others of this
room, nothing else of prunec.  What is wrong with a file is a ``Problem``: its texts are what a script says,
and its ``facts`` what prunec makes its own messages of.

The way of another format: its reader and writer in a module here, a front end that words its problems, and
a template with the few lines of its command; tables, checks, cutting and writing aside are there already.
"""

from __future__ import annotations

from importlib.resources import files


def embedded(name: str) -> str:
    """The text of a module of this room as a script holds it: all but its imports from the room, since what
    they name stands above it."""
    lines = files(__package__).joinpath(f"{name}.py").read_text("ascii").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(f"from {__package__}."))
