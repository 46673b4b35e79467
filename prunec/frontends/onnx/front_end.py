"""ONNX files, which hold their parameters themselves or name the files that do."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Optional, Sequence

from prunec.frontends.base import FrontEnd, PrunedFiles

if TYPE_CHECKING:
    from prunec.frontends.onnx.model import OnnxModel
    from prunec.frontends.onnx.trials import OnnxTrials
    from prunec.frontends.operators import Registered
    from prunec.frontends.runtime import Array
    from prunec.graph import Shape
    from prunec.rewriting.emit import Pruned

#: Control characters but white space: no text starts with one.
_BINARY = frozenset(range(0x20)) - frozenset(b"\t\n\v\f\r")


class OnnxFrontEnd(FrontEnd["OnnxModel"]):
    """See :class:`prunec.frontends.base.FrontEnd`."""

    name = "ONNX"
    framework = "ONNX Runtime"
    file_kind = "an ONNX file"
    endings = (".onnx",)
    rules = "onnx.prune"
    reading_packages = ("onnx",)
    running_packages = ("onnxruntime",)
    install = "pip install onnx onnxruntime"
    open_batch = 1

    def recognises(self, start: bytes) -> bool:
        return bool(start) and start[0] in _BINARY

    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> OnnxModel:
        from prunec.frontends.onnx.model import read_model

        return read_model(path, parameters, input_shapes)

    def read_pruned(self, model: OnnxModel, path: Path, parameters: Optional[Path]) -> PrunedFiles:
        from prunec.frontends.onnx.model_runtime import OnnxRuntime
        from prunec.frontends.onnx.preparing import prepared_like
        from prunec.frontends.onnx.protobuf import read_file
        from prunec.frontends.onnx.writer import Constants

        file = prepared_like(read_file(path), model.file)
        return PrunedFiles(OnnxRuntime(file, model.content), Constants(file).get)

    def input_names(self, path: Path) -> set[str]:
        from prunec.frontends.onnx.protobuf import read_file

        return {value.name for value in read_file(path).proto.graph.input}

    def feed_nodes(self, model: OnnxModel, needed: set[int]) -> list[int]:
        # Also those that no output depends on: ONNX Runtime wants them all.
        return [index for index, source in enumerate(model.content.sources) if source.kind == "input"]

    # --- parameters ---

    def data_files(self, model: OnnxModel) -> tuple[str, ...]:
        from prunec.frontends.onnx.writer import data_files

        return data_files(model.file)

    def with_parameters(self, model: OnnxModel, changed: Mapping[str, Array], folder: Path) -> OnnxModel:
        from prunec.frontends.onnx.writer import write_changed

        return self.read(write_changed(model.file, changed, folder), None, model.input_shapes)

    # --- the smaller model ---

    def script(self, model: OnnxModel, pruned: Pruned) -> str:
        from prunec.frontends.onnx.script import render_script

        return render_script(model, pruned)

    def diff(self, model: OnnxModel, pruned: Pruned) -> bytes:
        from prunec.frontends.onnx.text import graph_lines, graph_text, text_of
        from prunec.rewriting.unified_diff import unified_diff

        lines = list(graph_lines(model.file.written))
        texts = text_of(lines), graph_text(pruned.model)
        old, new = (text.encode("utf-8", "backslashreplace") for text in texts)
        headings = [(number, name) for number, (name, _) in enumerate(lines)]
        # Of the text that stands for the file: nobody should try to apply it to the file itself.
        return unified_diff(f"{model.path.name}.txt", old, new, headings)

    def write_data(self, model: OnnxModel, pruned: Pruned, folder: Path) -> None:
        model.write_external(pruned.edits, folder)

    def check_written(self, model: OnnxModel, folder: Path) -> None:
        from prunec.frontends.onnx.full_check import check_written

        check_written(folder / model.path.name, model.path)

    # --- operators ---

    def installed_files(self) -> Optional[Sequence[Path]]:
        # ONNX Runtime adds operators of its own.
        found = [importlib.util.find_spec(package) for package in ("onnx", "onnxruntime")]
        if found[0] is None or found[0].origin is None:
            return None
        return tuple(Path(spec.origin) for spec in found if spec is not None and spec.origin is not None)

    def operators(self) -> Mapping[str, Registered]:
        from prunec.frontends.onnx.operators import registered

        return registered()

    def trials(self) -> OnnxTrials:
        from prunec.frontends.onnx.trials import OnnxTrials

        return OnnxTrials()


FRONT_END = OnnxFrontEnd()
