"""Runs an exported video model folder with ONNX Runtime alone, as its users do, for figures and sample clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from diffusers import UniPCMultistepScheduler
from tokenizers import Tokenizer
from torch import Tensor

from .sampling import Velocity, sample, start_noise


class ExportedWan:
    """The text encoder, the transformer and the decoder of a folder."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._sessions = {
            name: onnxruntime.InferenceSession(
                str(folder / name / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            for name in ("text_encoder", "transformer", "vae_decoder")
        }
        config = json.loads((folder / "tokenizer" / "tokenizer_config.json").read_text("utf8"))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
        self._tokenizer.enable_truncation(config["model_max_length"])
        self._tokenizer.enable_padding(pad_id=0, pad_token=config["pad_token"], length=config["model_max_length"])
        vae = json.loads((folder / "vae_decoder" / "config.json").read_text("utf8"))
        self._mean, self._deviation = (
            np.array(vae[name], np.float32).reshape(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std")
        )
        self._scheduler = folder / "scheduler"

    def embed(self, captions: list[str]) -> np.ndarray:
        """The text's states [B, 32, 128], zero beyond each prompt's length."""
        encodings = self._tokenizer.encode_batch(captions)
        ids, mask = (np.array([getattr(e, name) for e in encodings], np.int64) for name in ("ids", "attention_mask"))
        states = self._sessions["text_encoder"].run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return states * mask[..., None].astype(np.float32)

    def velocity(self, captions: list[str], guidance: float, negative: str = "") -> Velocity:
        """The guided velocity function; the two halves run one after the other, as in Wan's own pipeline."""
        conditional, unconditional = self.embed(captions), self.embed([negative] * len(captions))
        transformer = self._sessions["transformer"]

        def run(latents: np.ndarray, timestep: float, states: np.ndarray) -> np.ndarray:
            steps = np.full(len(latents), timestep, np.float32)
            feeds = {"hidden_states": latents, "timestep": steps, "encoder_hidden_states": states}
            return transformer.run(None, feeds)[0]

        def guided(latents: Tensor, timestep: float) -> Tensor:
            noisy = latents.numpy()
            with_text, without = run(noisy, timestep, conditional), run(noisy, timestep, unconditional)
            return torch.from_numpy(without + guidance * (with_text - without))

        return guided

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Normalised latents [B, 16, F, h, w] -> uint8 clips [B, 4 F - 3, 8 h, 8 w, 3]."""
        decoded = self._sessions["vae_decoder"].run(None, {"latent_sample": latents * self._deviation + self._mean})[0]
        return ((np.clip(decoded, -1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 4, 1)

    def clips(
        self, captions: list[str], seed: int = 0, steps: int = 20, guidance: float = 3.0, **size: int
    ) -> np.ndarray:
        """Clips for captions, uint8 [B, T, H, W, 3]; `size` is start_noise's frames, height and width in latents."""
        noise = start_noise(len(captions), seed, **size)
        scheduler = UniPCMultistepScheduler.from_pretrained(self._scheduler)
        latents = sample(self.velocity(captions, guidance), scheduler, noise, steps)
        return self.decode(latents.numpy())
