"""``python -m prunec.language_server``: the language server over standard input and output."""

from __future__ import annotations

import sys

from prunec.language_server.server import main

if __name__ == "__main__":
    sys.exit(main())
