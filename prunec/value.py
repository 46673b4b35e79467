"""What an attribute of a node holds."""

from __future__ import annotations

from typing import Union

#: What an attribute of a node can hold once its text is read.
Value = Union[None, bool, int, float, str, tuple["Value", ...]]
