"""Makes the packages beside the tests importable, and fixes how hypothesis draws.

The same examples are drawn each time, so that a test run says something of the code alone.  Set
``HYPOTHESIS_PROFILE=search`` to look for new ones.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

HERE = str(Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

# How long an example takes depends on what else the machine does: no test may fail for it.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **_PATIENT)
settings.register_profile("search", derandomize=False, max_examples=2000, **_PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
