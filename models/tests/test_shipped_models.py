"""The folders that ship, by what can be measured without a classifier: colours and the way of a spot."""

from __future__ import annotations

import unittest
from pathlib import Path

import numpy as np
from train.pipeline import ExportedModel
from train.scenes import BACKGROUNDS
from train.wan.pipeline import ExportedWan

MODELS = Path(__file__).resolve().parents[1]


def _ground(picture: np.ndarray) -> np.ndarray:
    """The colour along the upper and lower edge."""
    return np.median(np.concatenate([picture[:3].reshape(-1, 3), picture[-3:].reshape(-1, 3)]), axis=0)


def _spot(picture: np.ndarray) -> tuple[float, float, int]:
    """Middle (x, y) and size in pixels of what differs clearly from the ground."""
    distance = np.linalg.norm(picture.astype(np.float32) - _ground(picture), axis=-1)
    ys, xs = np.nonzero(distance > 80)
    return xs.mean(), ys.mean(), len(xs)


class ShippedModelsTest(unittest.TestCase):
    def test_tiny_sdxl_puts_a_subject_where_the_caption_says(self) -> None:
        model = ExportedModel(MODELS / "tiny-sdxl")
        captions = ["a red apple at the left on a blue background", "a red apple at the right on a blue background"]
        left, right = model.pictures(captions, seed=1, steps=10)
        for picture in (left, right):
            self.assertLess(np.abs(_ground(picture) - BACKGROUNDS["blue"]).max(), 40)
        self.assertGreater(_spot(right)[0] - _spot(left)[0], 30)

    def test_tiny_wan_moves_and_grows_a_subject_as_the_caption_says(self) -> None:
        model = ExportedWan(MODELS / "tiny-wan")
        moving, growing = model.clips(
            ["a red apple moving right on a blue background", "a growing red heart on a white background"], 1, 8
        )
        self.assertEqual(moving.shape, (17, 96, 96, 3))
        for clip, colour in ((moving, "blue"), (growing, "white")):
            self.assertLess(np.abs(_ground(clip[8]) - BACKGROUNDS[colour]).max(), 40)
        ways = [_spot(frame) for frame in moving[::4]]
        self.assertTrue(all(after[0] > before[0] for before, after in zip(ways, ways[1:], strict=False)), ways)
        self.assertGreater(ways[-1][0] - ways[0][0], 20)
        self.assertGreater(_spot(growing[16])[2], 3 * _spot(growing[4])[2])


if __name__ == "__main__":
    unittest.main()
