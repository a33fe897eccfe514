"""Captions for scenes: plain English in the several ways that a person might write it, and the words they use."""

from __future__ import annotations

import random

from .scenes import BACKGROUNDS, POSITIONS, SUBJECTS, Scene

SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
POSITION_WORDS = {
    "center": ("center", "middle", "centre"),
    "top": ("top",),
    "bottom": ("bottom",),
    "left": ("left",),
    "right": ("right",),
}
PREFIXES = (
    "a picture of",
    "an image of",
    "a drawing of",
    "an icon of",
    "an emoji of",
    "a photo of",
    "an illustration of",
)
MASS_NOUNS = {"cherries", "pizza", "ice cream"}
"""Nouns that also stand without an article."""

BACKGROUND_FORMS = (
    ("on a {} background",) * 12
    + ("on {}",) * 3
    + (", {} background",) * 3
    + (
        "on a plain {} background",
        "with a {} background",
        "in front of a {} background",
    )
)
_PAIR_FORMS = ("{} and {}",) * 4 + ("{} next to {}", "{} to the left of {}", "{} and {} side by side", "{} beside {}")
EXTRA_WORDS = (
    "the",
    "is",
    "there",
    "cute",
    "simple",
    "flat",
    "one",
    "solid",
    "style",
    "here",
    "colored",
    "coloured",
    "it",
    "grey",
)


def with_article(phrase: str) -> str:
    """The phrase behind "a" or "an"; plurals stay bare."""
    if phrase.endswith("cherries"):
        return phrase
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def full_caption(scene: Scene) -> str:
    """The one plain caption of a scene, for tests and pictures: with articles, adjectives only where required."""
    phrases = []
    for item in scene.items:
        subject = SUBJECTS[item.subject]
        noun = f"{subject.adjective} {subject.noun}" if subject.adjective_required else subject.noun
        phrases.append(with_article(f"{scene.size} {noun}" if scene.size else noun))
    position = f" at the {scene.position}" if scene.position else ""
    return tidy(f"{' and '.join(phrases)}{position} on a {scene.background} background")


def tidy(text: str) -> str:
    """Closes up commas and puts "an" before the one colour that begins with a vowel."""
    return text.replace(" ,", ",").replace(" a orange ", " an orange ")


def random_caption(lots: random.Random, scene: Scene) -> str:
    """One of many captions of a scene; now and then with a filler in front, an unknown word or no background."""
    phrases = [noun_phrase(lots, item.subject, scene.size) for item in scene.items]
    text = lots.choice(_PAIR_FORMS).format(*phrases) if len(phrases) == 2 else phrases[0]
    if scene.position:
        text += _position_phrase(lots, scene.position)
    if lots.random() < 0.95:
        colour = "grey" if scene.background == "gray" and lots.random() < 0.3 else scene.background
        text += " " + lots.choice(BACKGROUND_FORMS).format(colour)
    if lots.random() < 0.08:
        text = f"{lots.choice(PREFIXES)} {text}"
    if lots.random() < 0.05:
        text = with_stray_word(lots, text)
    return tidy(text)


def noun_phrase(lots: random.Random, index: int, size: str | None) -> str:
    """One of many ways to name a subject (`index` counts in SUBJECTS), with or without its adjective and article."""
    subject = SUBJECTS[index]
    noun = lots.choice(subject.other_nouns) if subject.other_nouns and lots.random() < 0.25 else subject.noun
    if subject.adjective_required or (subject.adjective and lots.random() < 0.35):
        noun = f"{subject.adjective} {noun}"
    if size:
        noun = f"{lots.choice(SIZE_WORDS[size])} {noun}"
    lot = lots.random()
    if lot < 0.08:
        return f"the {noun}"
    if lot < 0.22 or (lot < 0.5 and noun in MASS_NOUNS):
        return noun
    return with_article(noun)


def _position_phrase(lots: random.Random, position: str) -> str:
    words = " ".join(lots.choice(POSITION_WORDS[word]) for word in position.split())
    forms = [f" at the {words}", f" in the {words}", f", {words}", f" on the {words}"]
    if " " in position:
        forms.append(f" in the {words} corner")
    return lots.choice(forms)


def with_stray_word(lots: random.Random, text: str) -> str:
    """Puts in a word that says nothing: mostly invented ones, so that words never learnt do little harm."""
    if lots.random() < 0.5:
        stray = lots.choice(EXTRA_WORDS)
    else:
        stray = "".join(lots.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(lots.randint(2, 7)))
    words = text.split(" ")
    words.insert(lots.randint(0, len(words)), stray)
    return " ".join(words)


def known_words() -> list[str]:
    """Every word a caption can contain, sorted: the words that are one token each."""
    texts = list(BACKGROUNDS) + list(POSITIONS) + list(PREFIXES) + list(EXTRA_WORDS)
    texts += [form.replace("{}", "") for form in (*BACKGROUND_FORMS, *_PAIR_FORMS)]
    texts += [word for forms in (*SIZE_WORDS.values(), *POSITION_WORDS.values()) for word in forms]
    for subject in SUBJECTS:
        texts += [subject.noun, *subject.other_nouns, subject.adjective or ""]
    texts += ["a an at in on the corner"]
    return sorted({word for text in texts for word in text.replace(",", " ").split()})
