"""The emoji that everything is drawn from: fetched from npm once, then rasterised."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .scenes import SUBJECTS

MODELS = Path(__file__).resolve().parents[1]
WORK = MODELS / "work"
ICON_PACKAGE = "@iconify-json/fluent-emoji-flat@1.2.6"


def fetch_icons() -> Path:
    """Downloads the icon package with npm into the work folder and rasterises the subjects; keeps what is there."""
    icons = WORK / "icons"
    if len(list(icons.glob("*.png"))) >= len(SUBJECTS):
        return icons
    WORK.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        ["npm", "pack", ICON_PACKAGE, "--silent"], cwd=WORK, check=True, capture_output=True, text=True
    )
    subprocess.run(["tar", "xzf", packed.stdout.strip()], cwd=WORK, check=True)
    here = Path(__file__).parent
    script = [here / "rasterise.mjs", WORK / "package" / "icons.json", here / "subjects.txt", icons]
    subprocess.run(["node", *map(str, script)], check=True)
    return icons
