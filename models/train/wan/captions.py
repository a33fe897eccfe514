"""Captions for clips: plain English in the several ways that a person might write it, and the words they use."""

from __future__ import annotations

import random

from ..captions import BACKGROUND_FORMS, EXTRA_WORDS, PREFIXES, noun_phrase, tidy, with_article, with_stray_word
from ..scenes import BACKGROUNDS, SUBJECTS
from .clips import CAST, Clip

MOTION_FORMS: dict[str, tuple[str, ...]] = {
    "left": ("moving left", "moving to the left", "moves left", "going left", "sliding left", "that moves left"),
    "right": ("moving right", "moving to the right", "moves right", "going right", "sliding right", "that moves right"),
    "up": ("moving up", "going up", "rising", "moves up", "moving upwards", "flying up", "that rises"),
    "down": ("moving down", "going down", "falling", "moves down", "moving downwards", "falling down", "that falls"),
    "bounce": ("bouncing", "bouncing up and down", "jumping", "that bounces", "bounces", "hopping"),
    "grow": ("growing", "getting bigger", "getting larger", "that grows", "grows", "becoming bigger"),
    "shrink": ("shrinking", "getting smaller", "that shrinks", "shrinks", "becoming smaller"),
    "spin": ("spinning", "rotating", "turning around", "that spins", "spins", "spinning around"),
}
"""What follows the subject; the plainest form comes first."""

MOTION_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "up": ("rising",),
    "down": ("falling",),
    "bounce": ("bouncing", "jumping"),
    "grow": ("growing",),
    "shrink": ("shrinking",),
    "spin": ("spinning", "rotating"),
}
"""What may stand before the subject."""

_VIDEO_PREFIXES = ("a video of", "an animation of", "a clip of")


def full_caption(clip: Clip) -> str:
    """The plain caption of a clip: "a red apple moving right on a blue background", "a bouncing robot on ..."."""
    subject = SUBJECTS[clip.subject]
    noun = f"{subject.adjective} {subject.noun}" if subject.adjective else subject.noun
    if clip.motion in ("bounce", "spin", "grow", "shrink"):
        phrase = with_article(f"{MOTION_ADJECTIVES[clip.motion][0]} {noun}")
    else:
        phrase = f"{with_article(noun)} {MOTION_FORMS[clip.motion][0]}"
    return tidy(f"{phrase} on a {clip.background} background")


def other_caption(clip: Clip) -> str:
    """A second wording, of forms that are rarer in training: the bare noun and the motion behind it."""
    noun = SUBJECTS[clip.subject].noun
    return f"{with_article(noun)} {MOTION_FORMS[clip.motion][1]} on {clip.background}"


def random_caption(lots: random.Random, clip: Clip) -> str:
    """One of many captions of a clip; now and then without its background or motion, or with an idle word."""
    adjectives = MOTION_ADJECTIVES.get(clip.motion)
    lot = lots.random()
    if adjectives and lot < 0.45:
        # The motion takes the place of the size: "a spinning star", "the bouncing robot".
        text = _with_adjective(lots, clip.subject, lots.choice(adjectives))
    elif lot < 0.96:
        forms = MOTION_FORMS[clip.motion]
        text = f"{noun_phrase(lots, clip.subject, None)} {forms[0] if lots.random() < 0.4 else lots.choice(forms)}"
    else:
        text = noun_phrase(lots, clip.subject, None)
    if lots.random() < 0.95:
        colour = "grey" if clip.background == "gray" and lots.random() < 0.3 else clip.background
        text += " " + lots.choice(BACKGROUND_FORMS).format(colour)
    if lots.random() < 0.08:
        text = f"{lots.choice(PREFIXES + _VIDEO_PREFIXES)} {text}"
    if lots.random() < 0.05:
        text = with_stray_word(lots, text)
    return tidy(text)


def _with_adjective(lots: random.Random, subject: int, adjective: str) -> str:
    words = noun_phrase(lots, subject, None).split(" ")
    if words[0] not in ("a", "an", "the"):
        return " ".join([adjective, *words])
    article = "the" if words[0] == "the" else None
    phrase = " ".join([adjective, *words[1:]])
    return f"the {phrase}" if article else with_article(phrase)


def known_words() -> list[str]:
    """Every word a caption can contain, sorted: the words that are one token each."""
    texts = [*BACKGROUNDS, *PREFIXES, *_VIDEO_PREFIXES, *EXTRA_WORDS]
    texts += [form.replace("{}", "") for form in BACKGROUND_FORMS]
    texts += [form for forms in (*MOTION_FORMS.values(), *MOTION_ADJECTIVES.values()) for form in forms]
    for subject in (SUBJECTS[i] for i in CAST):
        texts += [subject.noun, *subject.other_nouns, subject.adjective or ""]
    texts += ["a an the"]
    return sorted({word for text in texts for word in text.replace(",", " ").split()})
