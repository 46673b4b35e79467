"""Running a model in MXNet itself, to check what prunec made of it.

MXNet is imported inside the functions, so that nothing else of prunec needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np

from prunec.frontends.mxnet.failures import failures
from prunec.frontends.mxnet.loading import check_outputs, document_of, heads_of, load, output_counts
from prunec.frontends.mxnet.package import mxnet
from prunec.graph import Tensor
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.support.environment import environment

#: How the names of learned arguments end, by MXNet's own convention.  A model read from JSON does not
#: say which of its variables are learned; one that is, and for which no value was given, must not be
#: taken for a label.
PARAMETER_ENDINGS = ("weight", "bias", "gamma", "beta", "alpha", "mean", "var", "parameters", "const")

#: What messages say MXNet is needed for.
PURPOSE = "a model can be run in MXNet only; importing it gave"
#: Read by MXNet whenever a model is bound, to keep it from fusing operators: it loses track of hidden
#: outputs then.  The backend called "default" fuses nothing, and can be told
#: not to write about itself on the terminal; "NONE" cannot.
_NO_FUSION = {"MXNET_SUBGRAPH_BACKEND": "default", "MXNET_SUBGRAPH_VERBOSE": "0"}


@dataclass(frozen=True, eq=False)
class MXNetSession:
    """A model bound to its parameters, to be run any number of times.

    ``zeroed`` names the arguments nobody gave a value for (labels, initial states): they are zero.
    """

    zeroed: tuple[str, ...]
    executor: Any
    places: Mapping[Union[str, Tensor], tuple[Any, ...]]
    """The arrays that a value goes into; a tensor is one of the graph, fed in its place."""

    def run(self, inputs: Mapping[Any, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """One forward pass for inference.  The inputs have the shapes the session was made for.

        Raises :class:`PrunecError` (P701) where MXNet fails.
        """
        with failures("MXNet cannot run the model"):
            for name, value in inputs.items():
                for place in self.places[name]:
                    _set(place, _plain(value))
            return [output.asnumpy() for output in self.executor.forward(is_train=False)]


def run(
    symbol_json: bytes,
    parameters: Mapping[str, np.ndarray[Any, Any]],
    inputs: Mapping[str, np.ndarray[Any, Any]],
    outputs: Optional[Sequence[tuple[int, int]]] = None,
) -> list[np.ndarray[Any, Any]]:
    """Run a model for inference and return its outputs, as the framework gives them.

    ``parameters`` holds arguments and auxiliary states by bare name.  ``outputs`` selects values of the
    graph, each by the index of its node in the JSON and the index of its output; ``None`` stands for
    the model's outputs.

    Raises :class:`PrunecError`: P700 without MXNet, P701 where MXNet refuses the model, P702 for missing
    parameters, P703 for parameters of a wrong shape, P704 for an output that does not exist, P307 for
    unknown inputs, P705 for arguments whose shape cannot be known.
    """
    return open_session(symbol_json, parameters, inputs, outputs).run(inputs)


def open_session(
    symbol_json: bytes,
    parameters: Mapping[str, np.ndarray[Any, Any]],
    inputs: Mapping[str, np.ndarray[Any, Any]],
    outputs: Optional[Sequence[tuple[int, int]]] = None,
) -> MXNetSession:
    """Bind a model to its parameters; arguments, outputs and errors are those of :func:`run`."""
    mx = mxnet(PURPOSE)
    document = document_of(symbol_json)
    heads = heads_of(document)
    wanted = heads if outputs is None else [Tensor(*output) for output in outputs]
    check_outputs(document, output_counts(mx, document), heads + wanted)
    # Shapes are inferred over the whole model: a part of it may not say enough.
    whole = load(mx, document, heads + wanted)
    _check_inputs(whole, parameters, inputs)
    _check_parameters(whole, parameters, inputs)
    values, zeroed = _values(mx, whole, parameters, inputs)
    selected = load(mx, document, wanted)
    return MXNetSession(zeroed, _executor(mx, selected, values), {name: (values[name],) for name in inputs})


def bound(
    mx: Any,
    symbol: Any,
    parameters: Mapping[str, np.ndarray[Any, Any]],
    inputs: Mapping[str, np.ndarray[Any, Any]],
) -> MXNetSession:
    """Bind a symbol to parameters and inputs, by name; both may hold more than it has.

    Raises :class:`PrunecError` (P701, P705).
    """
    values, zeroed = _values(mx, symbol, parameters, inputs)
    return MXNetSession(zeroed, _executor(mx, symbol, values), {name: (values[name],) for name in inputs})


def _executor(mx: Any, symbol: Any, values: Mapping[str, Any]) -> Any:
    arguments = [values[name] for name in symbol.list_arguments()]
    states = [values[name] for name in symbol.list_auxiliary_states()]
    with failures("MXNet cannot bind the model"), environment(_NO_FUSION):
        return symbol.bind(mx.cpu(), arguments, grad_req="null", aux_states=states)


def infer_shapes(symbol_json: bytes, inputs: Mapping[str, tuple[int, ...]]) -> dict[Tensor, tuple[int, ...]]:
    """The shape MXNet infers for each output of each node, by node index in the JSON and output index.

    ``inputs`` gives the shapes of model inputs (or of any variable).  Values whose shape does not follow
    from them are left out.

    Raises :class:`PrunecError`: P700 without MXNet, P701 where MXNet refuses the model or the shapes.
    """
    mx = mxnet(PURPOSE)
    document = document_of(symbol_json)
    counts = output_counts(mx, document)
    tensors = [Tensor(node, output) for node, count in enumerate(counts) for output in range(count)]
    symbol = load(mx, document, tensors)
    _, shapes, _ = _infer_shape(symbol, {name: tuple(shape) for name, shape in inputs.items()})
    return {tensor: shape for tensor, shape in zip(tensors, shapes) if _known(shape)}


# --- binding -------------------------------------------------------------------------------


def _set(place: Any, value: np.ndarray[Any, Any]) -> None:
    """Gives an array other elements.  Plain assignment fails for weights that oneDNN has laid out anew."""
    import mxnet as mx

    mx.nd.array(value, dtype=place.dtype).copyto(place)


def _infer_shape(symbol: Any, known: Mapping[str, tuple[int, ...]]) -> tuple[Any, Any, Any]:
    # By name: by position MXNet 1.9 fails.
    named = {name: known[name] for name in symbol.list_arguments() if name in known}
    with failures("MXNet cannot infer the model's shapes"):
        arguments, outputs, states = symbol.infer_shape_partial(**named)
    return arguments or (), outputs or (), states or ()


def _known(shape: Sequence[int]) -> bool:
    return len(shape) > 0 and all(size > 0 for size in shape)


def _check_inputs(
    symbol: Any, parameters: Mapping[str, np.ndarray[Any, Any]], inputs: Mapping[str, np.ndarray[Any, Any]]
) -> None:
    arguments = symbol.list_arguments()
    unknown = sorted(set(inputs) - set(arguments))
    if not unknown:
        return
    free = [name for name in arguments if name not in parameters and not name.endswith(PARAMETER_ENDINGS)]
    raise PrunecError(
        Diagnostic(
            "P307",
            f"the model has no input {_quoted(unknown)}",
            notes=(f"its inputs are {_quoted(free)}" if free else "it has no inputs",),
            help="name the inputs as the model does",
        )
    )


def _check_parameters(
    symbol: Any, parameters: Mapping[str, np.ndarray[Any, Any]], inputs: Mapping[str, np.ndarray[Any, Any]]
) -> None:
    """Name every parameter that is missing, or that has not the shape the model and its inputs ask for."""
    arguments, states = symbol.list_arguments(), symbol.list_auxiliary_states()
    learned = [name for name in arguments if name.endswith(PARAMETER_ENDINGS) and name not in inputs]
    missing = [name for name in [*learned, *states] if name not in parameters]
    if missing:
        raise PrunecError(
            Diagnostic(
                "P702",
                f"{len(missing)} parameter(s) are missing: {_quoted(missing)}",
                notes=("the model needs them and the parameters given do not have them",),
                help="give the parameter file that belongs to this model",
            )
        )
    shapes, _, state_shapes = _infer_shape(symbol, {name: np.shape(value) for name, value in inputs.items()})
    expected = [*zip(arguments, shapes), *zip(states, state_shapes)]
    wrong = [
        f'"{name}" has shape {np.shape(parameters[name])}, the model needs {tuple(shape)}'
        for name, shape in expected
        if name in parameters and name not in inputs
        if _known(shape) and tuple(shape) != np.shape(parameters[name])
    ]
    if wrong:
        more = (f"and {len(wrong) - 10} more",) if len(wrong) > 10 else ()
        raise PrunecError(
            Diagnostic(
                "P703",
                f"{len(wrong)} parameter(s) do not fit the model",
                notes=(*wrong[:10], *more),
                help="give the parameter file that belongs to this model, and inputs of the right shape",
            )
        )


def _values(
    mx: Any,
    symbol: Any,
    parameters: Mapping[str, np.ndarray[Any, Any]],
    inputs: Mapping[str, np.ndarray[Any, Any]],
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An array for every argument and state, and the names of those that had to be made up (zeros)."""
    arrays = {**parameters, **{name: _plain(value) for name, value in inputs.items()}}
    arguments, states = symbol.list_arguments(), symbol.list_auxiliary_states()
    known = {name: np.shape(arrays[name]) for name in arguments if name in arrays}
    shapes, _, _ = _infer_shape(symbol, known)
    types = _types(symbol, inputs)
    values: dict[str, Any] = {}
    zeroed = []
    with failures("MXNet cannot take the parameters"):
        for name, shape in zip(arguments, shapes):
            if name in arrays:
                values[name] = mx.nd.array(arrays[name], dtype=types.get(name) or arrays[name].dtype)
            elif _known(shape):
                values[name] = mx.nd.zeros(shape, dtype=types.get(name) or np.float32)
                zeroed.append(name)
            else:
                raise PrunecError(_no_shape(name))
        for name in states:
            values[name] = mx.nd.array(arrays[name], dtype=types.get(name) or arrays[name].dtype)
    return values, tuple(zeroed)


def _no_shape(name: str) -> Diagnostic:
    return Diagnostic(
        "P705",
        f'nothing is given for "{name}", and its shape is not known',
        notes=(
            "it is neither a parameter nor an input given, and its shape does not follow from the others",
        ),
        help=f'give the shape of the input "{name}", or a parameter file that holds it',
    )


def _types(symbol: Any, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """The number type of every argument and state, where MXNet can tell: a model stored in float16
    and fed float32 is run in float32."""
    arguments, states = symbol.list_arguments(), symbol.list_auxiliary_states()
    try:
        types, _, state_types = symbol.infer_type_partial(
            **{name: _plain(value).dtype.type for name, value in inputs.items() if name in arguments}
        )
    except Exception:  # MXNet's own error: without an answer the arrays keep their types
        return {}
    return dict([*zip(arguments, types or ()), *zip(states, state_types or ())])


def _plain(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An input as the model takes it: numbers with a point in float32."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _quoted(names: Sequence[str], limit: int = 10) -> str:
    text = ", ".join(f'"{name}"' for name in names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit} more"
