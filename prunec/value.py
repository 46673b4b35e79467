"""What an attribute of a node holds."""

from __future__ import annotations

from typing import Union

from prunec.sizes import OpenSize

#: What an attribute of a node can hold once its text is read; in a list of sizes that the model computes
#: some may be open.
Value = Union[None, bool, int, float, str, OpenSize, tuple["Value", ...]]
