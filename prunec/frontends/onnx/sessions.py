"""Running a model in ONNX Runtime, to check what prunec made of it.

ONNX Runtime is imported inside the functions, so that nothing else of prunec needs it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np

from prunec.embedded.onnx_tensors import constants_of
from prunec.frontends.onnx.protobuf import check_data, onnx_package
from prunec.frontends.onnx.tensors import external
from prunec.support.comparison import Array
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.importing import imported

#: It says nothing on the terminal: what it warns of is said of the original as much, and errors are raised.
_SILENT = 4
#: Read by the libraries that other frameworks compute with; ONNX Runtime has threads of its own.
_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, eq=False)
class OnnxSession:
    """A model ready to be run any number of times; ``outputs`` names what it gives, ``feeds`` what values are
    called in it that are given by anything but a name."""

    outputs: tuple[str, ...]
    _session: Any
    _types: Mapping[str, np.dtype[Any]]
    feeds: Mapping[Any, str] = field(default_factory=dict)
    zeroed: tuple[str, ...] = ()

    def run(self, inputs: Mapping[Any, Array]) -> list[Array]:
        """One run; inputs are brought to the types that the model declares, and what it does not take is left
        out.

        Raises PrunecError P701 where ONNX Runtime fails.
        """
        named = {self.feeds.get(key, key): value for key, value in inputs.items()}
        typed = {name: np.asarray(named[name], dtype) for name, dtype in self._types.items() if name in named}
        try:
            return [np.asarray(value) for value in self._session.run(list(self.outputs), typed)]
        except Exception as error:
            raise _refused("ONNX Runtime cannot run the model", error) from None


def open_session(
    model: Union[bytes, Any],
    folder: Optional[Path] = None,
    outputs: Optional[Sequence[str]] = None,
    inner: bool = False,
) -> OnnxSession:
    """Loads a model, a message or its bytes, for the processor, its graph optimised as ONNX Runtime does by
    itself; in as many threads as the environment allows numerical libraries (``OMP_NUM_THREADS``).

    ``folder`` is where its external data are; ``outputs`` names values to give in place of the model's
    outputs.  Where these, or the outputs of the message (``inner``), are values from inside a model, what
    ONNX Runtime cannot optimise is loaded as it is.  Raises PrunecError: P700 without ONNX Runtime, P701
    where it refuses the model, P704 for an output that does not exist, P334 for external data outside of the
    folder.
    """
    runtime = _runtime()
    proto = onnx_package().load_model_from_string(model) if isinstance(model, bytes) else model
    check_data(proto, "the model that is run")
    for _, tensor in constants_of(proto.graph):
        external(tensor, "the model that is run")
    if outputs is not None:
        proto = _with_outputs(proto, outputs)
    data = proto.SerializeToString()
    try:
        session = _loaded(runtime, data, folder)
    except PrunecError:
        if outputs is None and not inner:
            raise
        # Its optimisations remove values that are outputs here, and then miss them.
        session = _loaded(runtime, data, folder, optimised=False)
    return OnnxSession(tuple(value.name for value in proto.graph.output), session, input_types(proto))


def _loaded(runtime: Any, data: bytes, folder: Optional[Path], optimised: bool = True) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = _SILENT
    if not optimised:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    threads = os.environ.get(_THREADS, "")
    if threads.isascii() and threads.isdigit():
        options.intra_op_num_threads = int(threads)
    try:
        if folder is not None:
            _locate_data(options, folder)
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _refused("ONNX Runtime cannot load the model", error) from None


def run(
    model: bytes,
    inputs: Mapping[str, Array],
    folder: Optional[Path] = None,
    outputs: Optional[Sequence[str]] = None,
) -> list[Array]:
    """Runs a model once; arguments and errors are those of :func:`open_session`."""
    return open_session(model, folder, outputs).run(inputs)


def input_types(proto: Any) -> dict[str, np.dtype[Any]]:
    """The element types of the inputs of a message that are tensors, by name."""
    helper = onnx_package().helper
    return {
        value.name: np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in proto.graph.input
        if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type
    }


def _runtime() -> Any:
    purpose = "ONNX models are run in it; importing it gave"
    return imported(
        "onnxruntime", "P700", "ONNX Runtime is not installed", purpose, "pip install onnxruntime"
    )


def _with_outputs(model: Any, outputs: Sequence[str]) -> Any:
    """A copy of the message with other outputs, of types that ONNX Runtime finds out itself."""
    onnx = onnx_package()
    proto = onnx.ModelProto()
    proto.CopyFrom(model)
    made = {name for node in proto.graph.node for name in node.output}
    made |= {value.name for value in (*proto.graph.input, *proto.graph.initializer)}
    missing = [name for name in outputs if name not in made]
    if missing:
        raise PrunecError(
            Diagnostic(
                "P704",
                f"the model has no value {printable(missing[0])!r}",
                notes=(f"{len(missing)} of the values to compare are not there",),
                help="compare models that belong together",
            )
        )
    known = {value.name: value for value in (*proto.graph.output, *proto.graph.value_info)}
    kept = [known.get(name, onnx.ValueInfoProto(name=name)) for name in outputs]
    del proto.graph.output[:]
    proto.graph.output.extend(kept)
    return proto


def _locate_data(options: Any, folder: Path) -> None:
    """External data are looked for beside a model that is given as bytes."""
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(folder.resolve())
    )


def _refused(headline: str, error: Exception) -> PrunecError:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return PrunecError(
        Diagnostic(
            "P701",
            headline,
            notes=(printable(lines[0], 500) if lines else "no reason given",),
            help="check that the inputs belong to the model and that this ONNX Runtime has its operators",
        )
    )
