"""The language server, ``python -m prunec.language_server``, over standard input and output.

Needs pygls (``pip install 'prunec[lsp]'``), version 1 or 2.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Optional
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from prunec import __version__
from prunec.authoring.registry import registered_operators
from prunec.diagnostics import Diagnostic, PrunecError, Severity, Source, render
from prunec.language_server.features import Document
from prunec.language_server.positions import offset_of, position_of


def create_server() -> Any:
    """The server with all its features.  Raises PrunecError P731 without pygls."""
    types, server_class = _pygls()
    server = server_class("prunec", __version__)
    registered = registered_operators()

    def document_at(uri: str) -> Document:
        text = server.workspace.get_text_document(uri).source
        return Document(_path_of(uri), text, registered)

    def span(source: Source, start: int, end: int) -> Any:
        first, last = position_of(source.text, start), position_of(source.text, end)
        return types.Range(types.Position(*first), types.Position(*last))

    def publish(uri: str) -> None:
        document = document_at(uri)
        found = [
            types.Diagnostic(
                range=span(document.source, start, end),
                message=_message(diagnostic),
                severity=types.DiagnosticSeverity.Error
                if diagnostic.severity is Severity.ERROR
                else types.DiagnosticSeverity.Warning,
                code=diagnostic.code,
                source="prunec",
            )
            for diagnostic, start, end in document.diagnostics()
        ]
        _publish(server, types, uri, found)

    def opened(parameters: Any) -> None:
        publish(parameters.text_document.uri)

    def changed(parameters: Any) -> None:
        publish(parameters.text_document.uri)

    def closed(parameters: Any) -> None:
        _publish(server, types, parameters.text_document.uri, [])

    def hover(parameters: Any) -> Optional[Any]:
        document = document_at(parameters.text_document.uri)
        place = parameters.position
        found = document.hover(offset_of(document.source.text, place.line, place.character))
        if found is None:
            return None
        content = types.MarkupContent(kind=types.MarkupKind.Markdown, value=found.markdown)
        return types.Hover(contents=content, range=span(document.source, found.start, found.end))

    def definition(parameters: Any) -> Optional[Any]:
        uri = parameters.text_document.uri
        document = document_at(uri)
        place = parameters.position
        found = document.definition(offset_of(document.source.text, place.line, place.character))
        if found is None:
            return None
        target = uri if found.path is None else found.path.resolve().as_uri()
        return types.Location(uri=target, range=span(found.source, found.start, found.end))

    def formatting(parameters: Any) -> Optional[Any]:
        document = document_at(parameters.text_document.uri)
        text = document.formatted()
        if text is None or text == document.source.text:
            return None
        whole = span(document.source, 0, len(document.source.text))
        return [types.TextEdit(range=whole, new_text=text)]

    answers = {
        types.TEXT_DOCUMENT_DID_OPEN: opened,
        types.TEXT_DOCUMENT_DID_CHANGE: changed,
        types.TEXT_DOCUMENT_DID_CLOSE: closed,
        types.TEXT_DOCUMENT_HOVER: hover,
        types.TEXT_DOCUMENT_DEFINITION: definition,
        types.TEXT_DOCUMENT_FORMATTING: formatting,
    }
    for feature, answer in answers.items():
        server.feature(feature)(answer)
    return server


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
                help="pip install 'prunec[lsp]'",
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
