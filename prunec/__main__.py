"""``python -m prunec``."""

from __future__ import annotations

import sys

from prunec.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
