"""Running models: what a framework does for the rest of prunec.

Criteria from data, sensitivities, compensation, latencies and the proof of rules run models through this
alone, so that they know no framework.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, Optional, Protocol, Sequence, runtime_checkable

from numpy.typing import NDArray

from prunec.examples import Data
from prunec.graph import Shape, Tensor
from prunec.support.diagnostics import Diagnostic, PrunecError

Array = NDArray[Any]

#: Values to compute from: of variables, by name, and of inner values, by the tensor of the graph.
Feeds = Mapping[Any, Array]

#: The gradient of a loss by the parameter of a name.
Gradient = Callable[[str], Array]


class Session(Protocol):
    """A network with its parameters, to be run any number of times."""

    @property
    def zeroed(self) -> tuple[str, ...]:
        """The inputs that nobody gave a value for: they are zero."""

    def run(self, inputs: Mapping[Any, Array]) -> list[Array]:
        """The values that were asked for, for inputs (or feeds) of the shapes the session was made for.

        Raises PrunecError P701 where the framework fails.
        """


class Runtime(Protocol):
    """The framework of a model, which runs it and what was made of it."""

    def examples(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """What examples have to be given for: the inputs of an inference.

        ``shapes`` are the shapes of variables, as far as they are known.  The first size of a result is the
        number of examples that are run at a time, ``None`` where the model takes any.
        """

    def draw(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
        """Random values for inputs, such as their types admit."""

    def session(
        self,
        inputs: Mapping[str, Array],
        tensors: Optional[Sequence[Tensor]] = None,
        parameters: Mapping[str, Array] = {},
        network: Optional[bytes] = None,
    ) -> Session:
        """Makes ready to give the values of ``tensors`` (``None``: the outputs) for inputs shaped like these.

        ``network`` is the model's own where it is not given, else one that was made of it by changing sizes;
        ``parameters`` take the place of the model's own, by name.  Raises PrunecError P700 to P705.
        """

    def segment(
        self,
        feeds: Feeds,
        fetches: Sequence[Tensor],
        parameters: Mapping[str, Array] = {},
    ) -> Session:
        """Makes ready the part of the network that computes the inner values ``fetches`` from values shaped
        like ``feeds``, which may hold variables, parameters among them, and inner values; what this part does
        not need is left alone, and what is in both is computed all the same.  ``parameters`` take the place
        of the model's own, by name.

        Raises PrunecError P700 to P705.
        """

    def gradients(self, data: Data) -> Iterator[Gradient]:
        """For each batch of examples the gradients of the loss, in inference.

        The loss is the mean cross-entropy where there are labels; else, half the sum of squares of the
        outputs, each output brought to length one.  Raises PrunecError P536 where the framework has none.
        """


@runtime_checkable
class Runnable(Protocol):
    """A model that can be run."""

    def runtime(self) -> Runtime: ...


def runtime_of(model: object) -> Runtime:
    """What runs a model.  Raises PrunecError P534 for a model that no framework is for."""
    if isinstance(model, Runnable):
        return model.runtime()
    raise PrunecError(
        Diagnostic(
            "P534",
            "this model cannot be run",
            notes=("it is a graph without a file, for which there is no framework",),
            help="give the file of a model",
        )
    )


def run_batches(
    runtime: Runtime,
    data: Data,
    tensors: Optional[Sequence[Tensor]] = None,
    parameters: Mapping[str, Array] = {},
    network: Optional[bytes] = None,
) -> Iterator[tuple[list[Array], Optional[Array]]]:
    """The values of ``tensors`` batch by batch, with the labels; arguments and errors are those of
    :meth:`Runtime.session`."""
    session: Optional[Session] = None
    size = 0
    for inputs, labels in data.batches():
        count = len(next(iter(inputs.values())))
        if session is None or count != size:
            session, size = runtime.session(inputs, tensors, parameters, network), count
        yield session.run(inputs), labels
