"""The classifiers' files, and the sample of captions that CI paints."""

from __future__ import annotations

import gzip
import json
import unittest

import numpy as np
import torch
from evaluate import clip_classifier, picture_classifier, sample
from evaluate.classifiers import CLIP_FILE, PICTURE_FILE, ExportedClassifier
from train.scenes import CANVAS, SUBJECTS
from train.wan.clips import Animator

from .drawn_icons import artist_of_discs


class SampleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.sample = json.loads((sample.FOLDER / "sample.json").read_text("utf8"))

    def test_drawn_originals_get_the_scores_that_are_recorded(self) -> None:
        for kind, path in (("pictures", PICTURE_FILE), ("clips", CLIP_FILE)):
            drawn = self.sample[kind]["drawn"]
            pixels = np.frombuffer(gzip.decompress((sample.FOLDER / drawn["pixels"]).read_bytes()), np.uint8)
            recorded = json.loads((sample.FOLDER / drawn["scores"]).read_text("utf8"))
            scores = ExportedClassifier(path).scores(pixels.reshape(drawn["shape"]))
            self.assertEqual(scores.keys(), recorded.keys())
            for question, values in recorded.items():
                np.testing.assert_allclose(scores[question], values, atol=2e-3)

    def test_classes_are_those_of_the_generator(self) -> None:
        self.assertEqual(self.sample["pictures"]["classes"], picture_classifier.CLASSES)
        self.assertEqual(self.sample["clips"]["classes"], clip_classifier.CLASSES)

    def test_captions_say_what_the_classifier_is_to_see(self) -> None:
        nouns = {subject.icon: subject.noun for subject in SUBJECTS}
        for single in self.sample["pictures"]["singles"]:
            place = "" if single["position"] == "center" else f" at the {single['position']}"
            ground = single["background"]
            self.assertRegex(single["caption"], rf"\b{nouns[single['subject']]}{place} on an? {ground} background$")
        for pair in self.sample["pictures"]["pairs"]:
            left, right = (nouns[icon] for icon in pair["subjects"])
            self.assertRegex(pair["caption"], rf"\b{left} and .*\b{right} on ")
        for clip in self.sample["clips"]["clips"]:
            self.assertRegex(clip["caption"], rf"\b{nouns[clip['subject']]}\b.* on an? {clip['background']} background$")
            self.assertRegex(clip["caption"], rf"\b{clip['motion'].rstrip('e')}")

    def test_no_subject_occurs_twice_and_every_position_and_motion_once(self) -> None:
        clips, scenes = sample.sample_clips(artist_of_discs()), sample.sample_scenes(artist_of_discs())[0]
        self.assertEqual(len({scene.items[0].subject for scene in scenes}), len(scenes))
        self.assertEqual([scene.position for scene in scenes], [None] * sample.PLAIN + sample.PLACES)
        self.assertEqual(len({clip.subject for clip in clips}), len(clip_classifier.CLASSES["motion"]))
        self.assertEqual({clip.motion for clip in clips}, set(clip_classifier.CLASSES["motion"]))


class GraphTest(unittest.TestCase):
    def test_what_is_seen_in_one_does_not_depend_on_the_others(self) -> None:
        artist = artist_of_discs()
        scenes, _ = sample.sample_scenes(artist)
        pictures = np.stack([artist.render(scene) for scene in scenes[:5]])
        clips = np.stack([Animator(artist).render(clip) for clip in sample.sample_clips(artist)[:2]])
        for path, shown in ((PICTURE_FILE, pictures), (CLIP_FILE, clips)):
            classifier = ExportedClassifier(path)
            together = classifier.scores(shown)
            for question, values in classifier.scores(shown[1:2]).items():
                np.testing.assert_allclose(values[0], together[question][1], atol=1e-4)

    def test_halves_of_a_pair_stand_in_the_middle_of_its_ground(self) -> None:
        picture = torch.full((1, CANVAS, CANVAS, 3), 50.0)
        picture[:, 40:96, 8:64, 0], picture[:, 40:96, 64:120, 1] = 200, 210
        left, right = picture_classifier.halves(picture)[0]
        for half, start, channel, value in ((left, 40, 0, 200), (right, 32, 1, 210)):
            wanted = torch.full((CANVAS, CANVAS, 3), 50.0)
            wanted[40:96, start : start + 56, channel] = value
            self.assertTrue(torch.equal(half, wanted))


if __name__ == "__main__":
    unittest.main()
