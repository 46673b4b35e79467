"""From a parse tree of Lark to the syntax tree of a file of policies."""

from __future__ import annotations

import math
from typing import Optional

from lark import Token, Tree

from prunec.language import policy_syntax, syntax
from prunec.language.builder import Builder, Children, built, documentation_line
from prunec.language.syntax_errors import number_out_of_bounds
from prunec.support.diagnostics import PrunecError, Source, Span


def build_policies(
    tree: Tree[Token], source: Source
) -> tuple[tuple[policy_syntax.Policy, ...], tuple[policy_syntax.Interface, ...]]:
    """The policies of the parse tree of a whole file, and what it says of the model's interface.  Raises
    ``PrunecError``: P105 and P106."""
    found = built(tree, _PolicyBuilder(source, 0))
    return (
        tuple(own for own in found if isinstance(own, policy_syntax.Policy)),
        tuple(own for own in found if isinstance(own, policy_syntax.Interface)),
    )


class _PolicyBuilder(Builder):
    make_stated = staticmethod(lambda children, span: str(children[0])[1:-1])

    def make_policies(self, children: Children, span: Span) -> Children:
        return children

    def make_policy(self, children: Children, span: Span) -> policy_syntax.Policy:
        patterns = next(c for c in children if isinstance(c, tuple))
        settings = tuple(c for c in children if isinstance(c, policy_syntax.Setting))
        lines, own = self._documented(children, span)
        return policy_syntax.Policy(patterns, settings, lines, own)

    def make_interface(self, children: Children, span: Span) -> policy_syntax.Interface:
        patterns, *sources = (c for c in children if isinstance(c, tuple))
        because = next((c for c in children if isinstance(c, str) and not isinstance(c, Token)), None)
        lines, own = self._documented(children, span)
        return policy_syntax.Interface(patterns, sources[0] if sources else (), because, lines, own)

    make_fed = staticmethod(lambda children, span: children[0])

    def _documented(self, children: Children, span: Span) -> tuple[str, Span]:
        """The documentation above a statement, and its place, from its first word on."""
        tokens = [child for child in children if isinstance(child, Token)]
        keyword = next(token for token in tokens if token.type != "DOC")
        lines = "\n".join(documentation_line(token) for token in tokens if token is not keyword)
        return lines, self.span(keyword).to(span)

    def make_patterns(self, children: Children, span: Span) -> tuple[syntax.Literal, ...]:
        return tuple(syntax.Literal(str(token)[1:-1], self.span(token)) for token in children)

    def setting(self, kind: str, children: Children, span: Span) -> policy_syntax.Setting:
        number: Optional[float] = None
        because = None
        for child in children:
            if isinstance(child, Token):
                number = float(child) if child.type == "FLOAT" else float(self.integer(child))
                if math.isinf(number):
                    raise PrunecError(number_out_of_bounds(span))
            elif child is not None:
                because = str(child)
        return policy_syntax.Setting(kind, number, because, span)

    def make_hold(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("hold", children, span)

    def make_share(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("ratio", children, span)

    def make_aligned(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("align", children, span)

    def make_at_most(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("max_ratio", children, span)

    def make_at_least(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("min_channels", children, span)

    def make_whole(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("whole", children, span)

    def make_free(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("free", children, span)

    def make_same(self, children: Children, span: Span) -> policy_syntax.Setting:
        return self.setting("uniform", children, span)
