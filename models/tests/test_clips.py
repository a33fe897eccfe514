"""Clips and captions of tiny-wan."""

from __future__ import annotations

import random
import unittest

import numpy as np
from train.scenes import BACKGROUNDS, SUBJECTS
from train.wan.captions import full_caption, known_words, other_caption, random_caption
from train.wan.clips import CANVAS, CAST, EDGE, FRAMES, MOTIONS, Animator, Clip, all_clips, draw_clip, placements

from .drawn_icons import artist_of_discs


def _spot(frame: np.ndarray, background: str) -> tuple[float, float, int]:
    """Middle (x, y) and size in pixels of what is not background."""
    ys, xs = np.nonzero((frame != BACKGROUNDS[background]).any(axis=-1))
    return xs.mean(), ys.mean(), len(xs)


class ClipsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.artist = artist_of_discs()
        cls.animator = Animator(cls.artist)

    def _video(self, motion: str) -> list[tuple[float, float, int]]:
        video = self.animator.render(Clip(CAST[3], motion, "white"))
        self.assertEqual(video.shape, (FRAMES, CANVAS, CANVAS, 3))
        return [_spot(frame, "white") for frame in video]

    def test_a_background_kept_back_never_occurs_in_training(self) -> None:
        lots = random.Random(1)
        clips = [draw_clip(self.artist, lots) for _ in range(3000)] + all_clips(self.artist)
        for clip in clips:
            self.assertNotIn(clip.background, self.artist.backgrounds(clip.subject, held_out=True))

    def test_subjects_move_to_where_the_motion_says(self) -> None:
        for motion, axis, sign in (("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)):
            spots = self._video(motion)
            steps = [sign * (after[axis] - before[axis]) for before, after in zip(spots, spots[1:], strict=False)]
            self.assertTrue(all(1.5 < step < 2.5 for step in steps), (motion, steps))
            self.assertAlmostEqual(spots[0][1 - axis], spots[-1][1 - axis], delta=0.5)

    def test_growing_and_shrinking_change_the_size_alone(self) -> None:
        for motion, sign in (("grow", 1), ("shrink", -1)):
            spots = self._video(motion)
            self.assertTrue(all(sign * (b[2] - a[2]) > 0 for a, b in zip(spots, spots[1:], strict=False)))
            self.assertLess(max(abs(spot[1] - CANVAS / 2) for spot in spots), 1.5)

    def test_a_bouncing_subject_leaves_the_ground_twice(self) -> None:
        heights = [spot[1] for spot in self._video("bounce")]
        self.assertEqual([k for k, height in enumerate(heights) if height > max(heights) - 1], [0, 8, 16])
        self.assertGreater(heights[0] - heights[4], 20)

    def test_a_spinning_subject_turns_clockwise_in_its_place(self) -> None:
        video = self.animator.render(Clip(CAST[3], "spin", "white"))
        middle, near, far = CANVAS // 2, slice(2, EDGE // 4 + 12), slice(-EDGE // 4 - 12, -2)
        # The notch points left at first, up half way and right at the end.
        empty = (video == BACKGROUNDS["white"]).all(axis=-1)
        left, top, right = empty[:, middle, near], empty[:, near, middle], empty[:, middle, far]
        self.assertEqual([int(edge[k].sum()) > 25 for edge, k in ((left, 0), (top, 8), (right, 16))], [True] * 3)
        self.assertEqual([int(edge[k].sum()) > 25 for edge, k in ((right, 0), (left, 8), (top, 16))], [False] * 3)

    def test_an_unknown_motion_is_named_in_the_error(self) -> None:
        with self.assertRaisesRegex(ValueError, 'motion "sideways"'):
            placements("sideways", 0)


class CaptionsTest(unittest.TestCase):
    def test_plain_captions_read_as_a_person_would_write_them(self) -> None:
        apple = next(i for i in CAST if SUBJECTS[i].icon == "red-apple")
        robot = next(i for i in CAST if SUBJECTS[i].icon == "robot")
        self.assertEqual(full_caption(Clip(apple, "right", "blue")), "a red apple moving right on a blue background")
        self.assertEqual(full_caption(Clip(robot, "bounce", "orange")), "a bouncing robot on an orange background")
        self.assertEqual(other_caption(Clip(robot, "spin", "gray")), "a robot rotating on gray")

    def test_no_two_motions_share_a_caption(self) -> None:
        for make in (full_caption, other_caption):
            self.assertEqual(len({make(Clip(CAST[0], motion, "white")) for motion in MOTIONS}), len(MOTIONS))

    def test_words_of_captions_are_known_but_for_the_stray_ones(self) -> None:
        lots, artist, known = random.Random(2), artist_of_discs(), set(known_words())
        strays = 0
        for _ in range(2000):
            words = random_caption(lots, draw_clip(artist, lots)).replace(",", " ").split()
            strays += sum(word not in known for word in words)
        self.assertLess(strays, 120)


if __name__ == "__main__":
    unittest.main()
