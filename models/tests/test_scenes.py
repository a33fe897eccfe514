"""Scenes and captions of tiny-sdxl."""

from __future__ import annotations

import random
import unittest

import numpy as np
from train.captions import full_caption, known_words, random_caption
from train.scenes import BACKGROUNDS, CANVAS, CELL, SUBJECTS

from .drawn_icons import artist_of_discs


class ScenesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.artist = artist_of_discs()

    def test_a_background_kept_back_never_occurs_in_training(self) -> None:
        lots = random.Random(1)
        for _ in range(4000):
            scene = self.artist.draw_lots(lots)
            for item in scene.items:
                self.assertNotIn(scene.background, self.artist.backgrounds(item.subject, held_out=True))

    def test_every_subject_has_exactly_one_background_kept_back_and_others_left(self) -> None:
        for subject in range(len(SUBJECTS)):
            kept_back = self.artist.backgrounds(subject, held_out=True)
            trained = self.artist.backgrounds(subject, held_out=False)
            self.assertEqual(len(kept_back), 1)
            self.assertGreaterEqual(len(trained), 6)
            self.assertFalse(set(kept_back) & set(trained))

    def test_items_lie_on_latent_cells_and_inside_the_canvas(self) -> None:
        lots = random.Random(2)
        for _ in range(2000):
            for item in self.artist.draw_lots(lots, pair_share=0.3).items:
                self.assertEqual((item.left % CELL, item.top % CELL, item.edge % CELL), (0, 0, 0))
                self.assertTrue(0 <= item.left <= CANVAS - item.edge and 0 <= item.top <= CANVAS - item.edge)

    def test_a_picture_shows_the_background_that_its_scene_names(self) -> None:
        lots = random.Random(3)
        for _ in range(100):
            scene = self.artist.draw_lots(lots)
            corner = self.artist.render(scene)[0, 0]
            self.assertEqual(tuple(corner), BACKGROUNDS[scene.background])

    def test_drawing_with_the_same_seed_gives_the_same_picture(self) -> None:
        pictures = [self.artist.render(self.artist.draw_lots(random.Random(4))) for _ in range(2)]
        self.assertTrue(np.array_equal(*pictures))


class CaptionsTest(unittest.TestCase):
    def test_a_plain_caption_names_subject_position_and_background(self) -> None:
        lots = random.Random(5)
        artist = artist_of_discs()
        for _ in range(500):
            scene = artist.draw_lots(lots)
            caption = full_caption(scene)
            for item in scene.items:
                self.assertIn(SUBJECTS[item.subject].noun, caption)
            self.assertIn(f"{scene.background} background", caption)
            self.assertIn(scene.position or "", caption)

    def test_words_of_captions_are_known_but_for_the_stray_ones(self) -> None:
        lots, artist, known = random.Random(6), artist_of_discs(), set(known_words())
        strays = 0
        for _ in range(2000):
            words = random_caption(lots, artist.draw_lots(lots)).replace(",", " ").split()
            strays += sum(word not in known for word in words)
        self.assertLess(strays, 120)


if __name__ == "__main__":
    unittest.main()
