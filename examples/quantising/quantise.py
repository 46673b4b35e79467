"""Make the weights and values of an ONNX model integers of 8 bits, with the tools of ONNX Runtime:
``python quantise.py MODEL OUTPUT --data EXAMPLES.npz``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Optional

import numpy as np
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

#: Examples that are run at a time.
BATCH = 32


class Examples(CalibrationDataReader):
    """The examples of a file, from which the ranges of all values are taken."""

    def __init__(self, path: str, names: list[str]) -> None:
        with np.load(path) as arrays:
            self.arrays = {name: arrays[name].astype(np.float32) for name in names}
        self.batches = self._batches()

    def _batches(self) -> Iterator[dict[str, np.ndarray]]:
        count = len(next(iter(self.arrays.values())))
        for start in range(0, count, BATCH):
            yield {name: array[start : start + BATCH] for name, array in self.arrays.items()}

    def get_next(self) -> Optional[dict[str, np.ndarray]]:
        """The next batch, ``None`` behind the last."""
        return next(self.batches, None)


def quantise(model: str, output: str, examples: str) -> None:
    """Fold what can be folded, take ranges from the examples, and write the model in integers."""
    with TemporaryDirectory() as scratch:
        folded = str(Path(scratch) / "folded.onnx")
        # Batch norms become part of the convolutions before them, which integers need.
        quant_pre_process(model, folded, skip_symbolic_shape=True)
        names = [
            own.name for own in InferenceSession(folded, providers=["CPUExecutionProvider"]).get_inputs()
        ]
        quantize_static(
            folded,
            output,
            Examples(examples, names),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )


def main() -> None:
    """Quantise a model."""
    parser = argparse.ArgumentParser(description="Quantise an ONNX model to integers of 8 bits.")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("output", metavar="OUTPUT")
    parser.add_argument("--data", metavar="EXAMPLES.npz", required=True)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    quantise(options.model, options.output, options.data)


if __name__ == "__main__":
    main()
