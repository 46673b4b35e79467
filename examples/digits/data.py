"""The handwritten digits that come with scikit-learn, and a harder set made from them.

``python data.py EXAMPLES.npz`` writes training images with their labels for ``prunec --data``.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.ndimage import affine_transform
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

#: Training images, test images, training labels, test labels.
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
#: How many training images of the harder set are made of each original, and how large the harder images are.
VARIANTS, SIZE = 3, 12


def digits() -> Split:
    """1797 real images of 8 by 8 pixels; always the same split.

    Images have the shape (count, 1, 8, 8) and values from 0 to 1; a quarter of them is held out.
    """
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype("float32").reshape(-1, 1, 8, 8)
    train, test, train_labels, test_labels = train_test_split(
        images, labels.astype("float32"), test_size=0.25, random_state=0, stratify=labels
    )
    return train, test, train_labels, test_labels


def harder() -> Split:
    """The same digits shifted, scaled and noisy, on 12 by 12 pixels; always the same images.

    Each training image gives three, each test image two; what is made of a test image is never trained on.
    """
    train, test, train_labels, test_labels = digits()
    return (
        _changed(train, VARIANTS, seed=1),
        _changed(test, 2, seed=2),
        np.tile(train_labels, VARIANTS),
        np.tile(test_labels, 2),
    )


def _changed(images: np.ndarray, times: int, seed: int) -> np.ndarray:
    """Each image so many times: drawn 0.75 to 1.35 times as large, up to 2 pixels off, with noise."""
    generator = np.random.default_rng(seed)
    made = []
    for image in np.tile(images, (times, 1, 1, 1))[:, 0]:
        step = 1 / generator.uniform(0.75, 1.35)
        centre = (SIZE - 1) / 2 + generator.uniform(-2, 2, size=2)
        offset = (image.shape[0] - 1) / 2 - step * centre
        made.append(affine_transform(image, np.diag([step, step]), offset, (SIZE, SIZE), order=1))
    drawn = np.stack(made)[:, None]
    return (drawn + generator.normal(0, 0.15, drawn.shape)).astype("float32")


#: The sets by name.
SETS = {"digits": digits, "harder": harder}


def main() -> None:
    """Write examples."""
    parser = argparse.ArgumentParser(description="Write training images as examples for prunec.")
    parser.add_argument("output", metavar="EXAMPLES.npz")
    parser.add_argument("--set", choices=SETS, default="digits")
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--unlabelled", action="store_true", help="leave the labels out")
    options = parser.parse_args()
    images, _, labels, _ = SETS[options.set]()
    arrays = {"data": images[: options.count], "label": labels[: options.count]}
    if options.unlabelled:
        del arrays["label"]
    np.savez(options.output, **arrays)


if __name__ == "__main__":
    main()
