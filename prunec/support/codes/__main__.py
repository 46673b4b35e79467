"""``python -m prunec.support.codes > docs/diagnostics.md``: all records as one document."""

import sys

from prunec.support.codes.pages import document

sys.stdout.buffer.write(document().encode("utf-8"))
