"""MXNet's symbol files, with parameters in a file of their own."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Optional, Sequence

from prunec.frontends.base import FrontEnd, PrunedFiles
from prunec.support.files import file_digest

if TYPE_CHECKING:
    from prunec.frontends.mxnet.model import MXNetModel
    from prunec.frontends.mxnet.trials import MXNetTrials
    from prunec.frontends.operators import Registered
    from prunec.frontends.runtime import Array
    from prunec.graph import Shape
    from prunec.rewriting.emit import Pruned

#: How MXNet itself begins a symbol file.
_START = re.compile(rb'\s*\{\s*"nodes"\s*:\s*\[\s*\{\s*"op"\s*:')


class MXNetFrontEnd(FrontEnd["MXNetModel"]):
    """See :class:`prunec.frontends.base.FrontEnd`."""

    name = "MXNet"
    framework = "MXNet"
    file_kind = "an MXNet symbol file"
    endings = (".json", ".params")
    rules = "default.prune"
    running_packages = ("mxnet",)
    install = "pip install mxnet==1.9.1 'numpy<1.24', with Python 3.11 or older"
    separate_parameters = True
    registers_operators = True

    def recognises(self, start: bytes) -> bool:
        return _START.match(start) is not None

    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> MXNetModel:
        from prunec.frontends.mxnet.model import read_model

        return read_model(path, parameters, input_shapes)

    def read_pruned(self, model: MXNetModel, path: Path, parameters: Optional[Path]) -> PrunedFiles:
        from prunec.frontends.mxnet.model_runtime import MXNetRuntime
        from prunec.frontends.mxnet.params import read_params
        from prunec.frontends.mxnet.symbol import read_symbol_file

        data = read_symbol_file(path).data
        file = None if parameters is None else read_params(parameters)
        arrays = {} if file is None else {name: file.array(name) for name in file.shapes}
        return PrunedFiles(MXNetRuntime(data, model.graph, arrays), arrays.get)

    def input_names(self, path: Path) -> set[str]:
        from prunec.frontends.mxnet.symbol import read_symbol_file

        return {node["name"] for node in read_symbol_file(path).nodes if not node["inputs"]}

    def feed_nodes(self, model: MXNetModel, needed: set[int]) -> list[int]:
        from prunec.frontends.mxnet.sessions import PARAMETER_ENDINGS

        # A label is no input of an inference, and a parameter that its file lacks is none at all; the
        # comparison says that it is missing.
        others = ("label", *PARAMETER_ENDINGS)
        graph = model.graph
        return [
            index
            for index, node in enumerate(graph.nodes)
            if node.operator is None
            and index not in graph.parameters
            and index in needed
            and (node.name in model.input_shapes or not node.name.endswith(others))
        ]

    # --- parameters ---

    def parameter_file(self, model: MXNetModel) -> Optional[Path]:
        return None if model.parameters is None else Path(model.parameters.path)

    def usual_parameter_file(self, model: MXNetModel) -> Optional[str]:
        return model.usual_parameter_file

    def files_with_parameters(self, model: MXNetModel) -> tuple[str, ...]:
        path = self.parameter_file(model)
        return () if path is None else (path.name,)

    def parameters_digest(self, model: MXNetModel) -> Optional[str]:
        path = self.parameter_file(model)
        return None if path is None else file_digest(path)

    def with_parameters(self, model: MXNetModel, changed: Mapping[str, Array], folder: Path) -> MXNetModel:
        from prunec.frontends.mxnet.params import read_params, write_params

        file = model.parameters
        assert file is not None
        target = folder / Path(file.path).name
        write_params(
            target,
            file.records,
            lambda record: changed[record.name] if record.name in changed else file.array(record.name),
            file.reserved,
        )
        return replace(model, parameters=read_params(target))

    # --- the smaller model; the slicing script writes its parameters ---

    def script(self, model: MXNetModel, pruned: Pruned) -> str:
        from prunec.rewriting.slicing_script import render_script

        return render_script(pruned.slices, model.path.name, model.digest, model.parameter_types())

    def diff(self, model: MXNetModel, pruned: Pruned) -> bytes:
        from prunec.frontends.mxnet.headings import headings
        from prunec.rewriting.unified_diff import unified_diff

        return unified_diff(model.path.name, model.file.data, pruned.model, headings(model.file))

    # --- operators ---

    def installed_files(self) -> Optional[Sequence[Path]]:
        found = importlib.util.find_spec("mxnet")
        if found is None or found.origin is None:
            return None
        path = Path(found.origin)
        # The library file tells versions apart as well as a version number, and sooner.
        return (next(path.parent.glob("libmxnet.*"), path),)

    def operators(self) -> Mapping[str, Registered]:
        from prunec.frontends.mxnet.operators import registered

        return registered()

    def unlisted_attributes(self) -> Mapping[str, Sequence[str]]:
        from prunec.language.resources import data_folder, own_document

        with own_document(data_folder("rules") / "framework_quirks.json") as document:
            return {operator: tuple(reasons) for operator, reasons in document["attributes"].items()}

    def trials(self) -> MXNetTrials:
        from prunec.frontends.mxnet.trials import MXNetTrials

        return MXNetTrials()

    def register(self, path: Path) -> None:
        from prunec.frontends.registering import register_operators

        register_operators(path)


FRONT_END = MXNetFrontEnd()
