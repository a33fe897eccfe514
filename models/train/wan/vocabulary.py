"""A T5 tokenizer (Unigram, as SentencePiece writes it) whose pieces are the caption words and single characters."""

from __future__ import annotations

import json
import string
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

MAX_LENGTH = 32
"""Tokens of a prompt, the end included; Wan 2.1 has 512. What is beyond the prompt's own length is zero."""

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
WORD_START = "▁"
_WORD_SCORE, _CHARACTER_SCORE = -4.0, -12.0
"""Logarithms as Unigram wants them: one known word beats any row of its characters."""


def pieces(words: list[str]) -> list[tuple[str, float]]:
    """Pieces with their scores in the order of their ids: <pad> 0, </s> 1, <unk> 2, words, then characters."""
    special = [(PAD, 0.0), (END, 0.0), (UNKNOWN, 0.0)]
    whole = [(WORD_START + word, _WORD_SCORE) for word in words]
    characters = [WORD_START, *string.ascii_lowercase, *string.digits, *string.punctuation]
    return special + whole + [(character, _CHARACTER_SCORE) for character in characters]


def build_tokenizer(words: list[str]) -> Tokenizer:
    """The tokenizer as a `tokenizers` object; neither pads nor truncates by itself."""
    tokenizer = Tokenizer(models.Unigram(pieces(words), unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, 1)]
    )
    tokenizer.add_special_tokens([PAD, END, UNKNOWN])
    return tokenizer


class PromptEncoder:
    """Turns captions into ids of MAX_LENGTH tokens, padded with 0."""

    def __init__(self, words: list[str]) -> None:
        self.tokenizer = build_tokenizer(words)

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Ids of a prompt; a long one loses its end but keeps </s>."""
        ids = self.tokenizer.encode(text).ids
        if len(ids) > MAX_LENGTH:
            ids = [*ids[: MAX_LENGTH - 1], 1]
        return ids + [0] * (MAX_LENGTH - len(ids))


def save_tokenizer(folder: Path, encoder: PromptEncoder) -> None:
    """Writes tokenizer.json and the two small files that transformers reads beside it.

    The class is transformers' plain one, which takes tokenizer.json as it is: from version 5 on T5TokenizerFast puts a
    normalizer of its own in the place of the file's, and capital letters would become unknown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder.tokenizer.save(str(folder / "tokenizer.json"))
    special = {"eos_token": END, "pad_token": PAD, "unk_token": UNKNOWN}
    config = {
        "clean_up_tokenization_spaces": False,
        "extra_ids": 0,
        "model_max_length": MAX_LENGTH,
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special,
    }
    for name, content in (("special_tokens_map.json", special), ("tokenizer_config.json", config)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", "utf8")
