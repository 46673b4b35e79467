"""The language server, ``python -m prunec.language_server``, over standard input and output.

Needs pygls (``pip install pygls``), version 1 or 2.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from prunec import __version__
from prunec.authoring.registered_operators import registered_operators
from prunec.language_server.features import Document
from prunec.language_server.positions import offset_of, position_of
from prunec.support.diagnostics import Diagnostic, PrunecError, Severity, Source, render


class _Answers:
    """What the server answers to each kind of message, in the types of the protocol."""

    def __init__(self, server: Any, types: Any) -> None:
        self.server = server
        self.types = types
        self.registered = lru_cache(maxsize=None)(registered_operators)

    def document(self, uri: str) -> Document:
        text = self.server.workspace.get_text_document(uri).source
        return Document(_path_of(uri), text, self.registered)

    def changed(self, parameters: Any) -> None:
        uri = parameters.text_document.uri
        document = self.document(uri)
        found = [self._diagnostic(document, *entry) for entry in document.diagnostics()]
        _publish(self.server, self.types, uri, found)

    def closed(self, parameters: Any) -> None:
        _publish(self.server, self.types, parameters.text_document.uri, [])

    def hover(self, parameters: Any) -> Optional[Any]:
        document = self.document(parameters.text_document.uri)
        found = document.hover(_offset(document, parameters.position))
        if found is None:
            return None
        content = self.types.MarkupContent(kind=self.types.MarkupKind.Markdown, value=found.markdown)
        return self.types.Hover(contents=content, range=self._range(document.source, found.start, found.end))

    def definition(self, parameters: Any) -> Optional[Any]:
        uri = parameters.text_document.uri
        document = self.document(uri)
        found = document.definition(_offset(document, parameters.position))
        if found is None:
            return None
        target = uri if found.path is None else found.path.resolve().as_uri()
        return self.types.Location(uri=target, range=self._range(found.source, found.start, found.end))

    def completion(self, parameters: Any) -> list[Any]:
        document = self.document(parameters.text_document.uri)
        kinds = self.types.CompletionItemKind
        kind_of = {
            "keyword": kinds.Keyword,
            "function": kinds.Function,
            "name": kinds.Variable,
            "rule": kinds.Class,
        }
        return [
            self.types.CompletionItem(label=found.word, kind=kind_of[found.kind], detail=found.about or None)
            for found in document.completions(_offset(document, parameters.position))
        ]

    def formatting(self, parameters: Any) -> Optional[Any]:
        document = self.document(parameters.text_document.uri)
        text = document.formatted()
        if text is None or text == document.source.text:
            return None
        whole = self._range(document.source, 0, len(document.source.text))
        return [self.types.TextEdit(range=whole, new_text=text)]

    def _range(self, source: Source, start: int, end: int) -> Any:
        first, last = position_of(source.text, start), position_of(source.text, end)
        return self.types.Range(self.types.Position(*first), self.types.Position(*last))

    def _diagnostic(self, document: Document, diagnostic: Diagnostic, start: int, end: int) -> Any:
        severities = self.types.DiagnosticSeverity
        is_error = diagnostic.severity is Severity.ERROR
        return self.types.Diagnostic(
            range=self._range(document.source, start, end),
            message=_message(diagnostic),
            severity=severities.Error if is_error else severities.Warning,
            code=diagnostic.code,
            source="prunec",
        )


def create_server() -> Any:
    """The server with all its features.  Raises PrunecError P731 without pygls."""
    types, server_class = _pygls()
    server = server_class("prunec", __version__)
    answers = _Answers(server, types)
    for feature, answer in (
        (types.TEXT_DOCUMENT_DID_OPEN, answers.changed),
        (types.TEXT_DOCUMENT_DID_CHANGE, answers.changed),
        (types.TEXT_DOCUMENT_DID_CLOSE, answers.closed),
        (types.TEXT_DOCUMENT_HOVER, answers.hover),
        (types.TEXT_DOCUMENT_DEFINITION, answers.definition),
        (types.TEXT_DOCUMENT_COMPLETION, answers.completion),
        (types.TEXT_DOCUMENT_FORMATTING, answers.formatting),
    ):
        server.feature(feature)(_plain(answer))
    return server


def _plain(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function for a method: pygls puts attributes on what it is given, which methods do not take."""

    def plain(parameters: Any) -> Any:
        return answer(parameters)

    return plain


def _offset(document: Document, place: Any) -> int:
    return offset_of(document.source.text, place.line, place.character)


def main() -> int:
    """Serves over standard input and output."""
    try:
        create_server().start_io()
    except PrunecError as error:
        print("\n\n".join(render(d) for d in error.diagnostics), file=sys.stderr)
        return 1
    return 0


def _pygls() -> tuple[Any, Any]:
    """The protocol's types and the server class of pygls 2, or of pygls 1."""
    try:
        types = import_module("lsprotocol.types")
        try:
            module = import_module("pygls.lsp.server")
        except ImportError:
            module = import_module("pygls.server")
    except ImportError as error:
        raise PrunecError(
            Diagnostic(
                "P731",
                "the language server needs pygls",
                notes=(f"Python says: {error}",),
                help="pip install pygls",
            )
        ) from None
    return types, module.LanguageServer


def _publish(server: Any, types: Any, uri: str, found: list[Any]) -> None:
    if hasattr(server, "text_document_publish_diagnostics"):
        parameters = types.PublishDiagnosticsParams(uri=uri, diagnostics=found)
        server.text_document_publish_diagnostics(parameters)
    else:  # pygls 1
        server.publish_diagnostics(uri, found)


def _message(diagnostic: Diagnostic) -> str:
    """The headline, what is said under the caret, other places, notes and help, a line each."""
    first, *others = diagnostic.annotations
    lines = [f"{diagnostic.headline}: {first.text}" if first.text else diagnostic.headline]
    lines += [f"{other.span.place}: {other.text}" for other in others]
    lines += [f"note: {note}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    return "\n".join(lines)


def _path_of(uri: str) -> str:
    """The path of a document as messages show it; a document without a file is called by its address."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return uri
    return str(Path(url2pathname(unquote(parts.path))))


if __name__ == "__main__":
    sys.exit(main())
