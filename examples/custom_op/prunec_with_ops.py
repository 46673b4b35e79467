"""The command ``prunec``, with the operators of this folder registered.

``prunec`` itself never runs a file of yours; to run models with operators written in Python (``--verify``,
``verify``), start it from a process that has them.
"""

from __future__ import annotations

import sys

import channel_ops  # noqa: F401  (registers the operators)

from prunec.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
