"""Why something stays: a kind with its data; the sentence is made of these, never the other way round."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from prunec.support.diagnostics import Span


class ReasonKind(Enum):
    """What keeps channels at a node.  The value is the sentence, with ``{}`` where the detail goes."""

    STATED = "{}"
    """The rule says so; the detail is what it says."""
    STRICT = "{} (strict)"
    """The operator combines over the channels, as the detail says, and values must not change."""
    ALONE = "the rule uses it in one place only, {}"
    """The detail is the slot where the axis stands."""
    FIXED_SIZE = "the rule gives it a fixed size"
    SIZE_USED = "the model computes with the size of this axis"
    UNKNOWN_SIZE = "a size it depends on is not known"
    UNKNOWN_INPUT = "nothing is known of the channels of an input"
    MISALIGNED = "the channels of {} do not line up with the rule's axes"
    """The detail is the slot."""
    BROKEN_VIEW = "a reshape whose sizes do not line up"
    SINGLE_PART = "a part of size one of a sum"
    EMPTY_AXIS = "there is nothing on this axis"
    BY_POSITION = "elements are chosen by their position"
    TABLE_ROW = "a row of a table of channels keeps its place"
    TIED_ALONG = "channels tied along it"
    WHOLE_ROWS = "a policy has whole rows go here"
    TWO_AXES = "channels that meet themselves on two axes"
    EQUAL_PARTS = "parts that must stay equally long"


@dataclass(frozen=True)
class RuleReason:
    """Why a rule keeps something, and the place in the rule that does."""

    kind: ReasonKind
    span: Span
    detail: str = ""

    @property
    def text(self) -> str:
        """The reason as a sentence without a full stop."""
        return self.kind.value.replace("{}", self.detail)
