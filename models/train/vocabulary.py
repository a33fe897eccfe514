"""Two CLIP tokenizers whose byte-level BPE knows each caption word as one token."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

MAX_LENGTH = 32
"""Tokens of a prompt, start and end included. The longest caption has 22; CLIP's 77 would slow every step down."""

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
_SPLIT = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def byte_alphabet() -> list[str]:
    """CLIP's printable stand-ins for the 256 bytes, in CLIP's order, so that id 0 is "!"."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Byte-pair merges that make one token of each word: the most frequent neighbours first, ties in text order."""
    pieces = {word: [*word[:-1], word[-1] + WORD_END] for word in words}
    merges: list[tuple[str, str]] = []
    while True:
        counts = Counter(pair for split in pieces.values() for pair in pairwise(split))
        if not counts:
            return merges
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        pieces = {word: _apply(best, split) for word, split in pieces.items()}


def _apply(pair: tuple[str, str], split: list[str]) -> list[str]:
    merged: list[str] = []
    for piece in split:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def build_vocabulary(words: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token ids in CLIP's order (bytes, bytes at word ends, merges, start, end: the largest id) and the merges."""
    merges = learn_merges(words)
    alphabet = byte_alphabet()
    tokens = alphabet + [char + WORD_END for char in alphabet]
    tokens += list(dict.fromkeys(a + b for a, b in merges)) + [START, END]
    return {token: index for index, token in enumerate(tokens)}, merges


def build_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """The tokenizer as a `tokenizers` object: CLIP's normalising, splitting and framing; no padding."""
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token=END, end_of_word_suffix=WORD_END, continuing_subword_prefix="")
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace(WORD_END, " "), decoders.Strip(" ", 0, 1)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])]
    )
    tokenizer.add_special_tokens([START, END])
    return tokenizer


class PromptEncoder:
    """Turns captions into padded ids of both tokenizers; each caption's ids are kept."""

    def __init__(self, words: list[str]) -> None:
        self.vocabulary, self.merges = build_vocabulary(words)
        self._tokenizer = build_tokenizer(self.vocabulary, self.merges)
        self._end = self.vocabulary[END]

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> tuple[list[int], list[int]]:
        """Ids padded with the end token (tokenizer 1) and with "!", id 0 (tokenizer 2), as SDXL pads them."""
        ids = self._tokenizer.encode(text).ids
        if len(ids) > MAX_LENGTH:
            ids = ids[: MAX_LENGTH - 1] + [self._end]
        missing = MAX_LENGTH - len(ids)
        return ids + [self._end] * missing, ids + [0] * missing


def save_tokenizer(folder: Path, encoder: PromptEncoder, pad_token: str) -> None:
    """Writes the files of one tokenizer folder as SDXL repositories carry them, tokenizer.json included."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, content: object) -> None:
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", "utf8")

    write("vocab.json", encoder.vocabulary)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in encoder.merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad_token}
    write("special_tokens_map.json", special)
    write(
        "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": True,
            "do_lower_case": True,
            "errors": "replace",
            "model_max_length": MAX_LENGTH,
            "tokenizer_class": "CLIPTokenizer",
            **special,
        },
    )
    tokenizer = build_tokenizer(encoder.vocabulary, encoder.merges)
    tokenizer.save(str(folder / "tokenizer.json"))
