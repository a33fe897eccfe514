"""Icons that need no download: a disc of its own colour for each subject."""

from __future__ import annotations

import colorsys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw
from train.scenes import SUBJECTS, Artist


def artist_of_discs() -> Artist:
    """An artist whose subjects are discs with a notch on the left, so that turning one changes it."""
    with tempfile.TemporaryDirectory() as folder:
        for i, subject in enumerate(SUBJECTS):
            colour = tuple(
                round(255 * share) for share in colorsys.hsv_to_rgb(i / len(SUBJECTS), 0.9, 0.6 + 0.4 * (i % 2))
            )
            icon = Image.new("RGBA", (256, 256))
            pen = ImageDraw.Draw(icon)
            pen.ellipse((16, 16, 240, 240), fill=(*colour, 255))
            pen.rectangle((0, 112, 96, 144), fill=(0, 0, 0, 0))
            icon.save(Path(folder) / f"{subject.icon}.png")
        return Artist(Path(folder))
