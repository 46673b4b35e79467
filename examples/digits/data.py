"""The handwritten digits that come with scikit-learn: 1797 real images of 8 by 8 pixels."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images, test images, training labels, test labels; always the same split.

    Images have the shape (count, 1, 8, 8) and values from 0 to 1; a quarter of them is held out.
    """
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype("float32").reshape(-1, 1, 8, 8)
    parts = train_test_split(
        images, labels.astype("float32"), test_size=0.25, random_state=0, stratify=labels
    )
    return tuple(parts)
