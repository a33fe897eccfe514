"""The classifiers as ONNX files, pixels in and scores out: every program that runs one sees the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from train.scenes import Artist

from .clip_classifier import export_clip_classifier, train_clip_classifier
from .picture_classifier import export_picture_classifier, train_picture_classifier

FOLDER = Path(__file__).with_name("classifiers")
PICTURE_FILE, CLIP_FILE = FOLDER / "picture.onnx", FOLDER / "clip.onnx"

_BATCH = 16


def write_classifier(artist: Artist, path: Path) -> None:
    """Trains the classifier of `path`, PICTURE_FILE or CLIP_FILE, and writes it."""
    if path == PICTURE_FILE:
        difference = export_picture_classifier(train_picture_classifier(artist), path)
    else:
        difference = export_clip_classifier(train_clip_classifier(artist), path)
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, largest difference to torch {difference:.1e}")


class ExportedClassifier:
    """One of the files, opened."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def scores(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Scores by the outputs' names, float32, for uint8 pictures or clips, both with the colours last."""
        feed = self._session.get_inputs()[0].name
        starts = range(0, len(pixels), _BATCH)
        parts = [self._session.run(None, {feed: pixels[start : start + _BATCH]}) for start in starts]
        return {name: np.concatenate(part) for name, part in zip(self._names, zip(*parts, strict=True), strict=True)}

    def seen(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Numbers of the classes with the highest scores."""
        return {name: scores.argmax(-1) for name, scores in self.scores(pixels).items()}
