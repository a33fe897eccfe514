"""Runs an exported model folder with ONNX Runtime alone, as its users do, for figures and sample pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from tokenizers import Tokenizer
from torch import Tensor

from .sampling import ddim, start_noise


class ExportedModel:
    """The text encoders, the UNet and the decoder of a folder."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._threads = threads
        self._folder = folder
        self._sessions = {
            name: self._session(name) for name in ("text_encoder", "text_encoder_2", "unet", "vae_decoder")
        }
        self._tokenizers = [self._tokenizer(name) for name in ("tokenizer", "tokenizer_2")]

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        path = str(self._folder / name / "model.onnx")
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def _tokenizer(self, name: str) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self._folder / name / "tokenizer.json"))
        config = json.loads((self._folder / name / "tokenizer_config.json").read_text("utf8"))
        length, pad = config["model_max_length"], config["pad_token"]
        tokenizer.enable_truncation(length)
        tokenizer.enable_padding(pad_id=tokenizer.token_to_id(pad), pad_token=pad, length=length)
        return tokenizer

    def embed(self, captions: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Penultimate states of both encoders side by side, and the second one's projected text."""
        states = []
        pooled = None
        for name, tokenizer in zip(("text_encoder", "text_encoder_2"), self._tokenizers, strict=True):
            session = self._sessions[name]
            ids = np.array([encoding.ids for encoding in tokenizer.encode_batch(captions)], np.int64)
            names = [output.name for output in session.get_outputs()]
            outputs = dict(zip(names, session.run(None, {"input_ids": ids}), strict=True))
            layers = sum(name.startswith("hidden_states.") for name in names) - 1
            states.append(outputs[f"hidden_states.{layers - 1}"])
            pooled = outputs.get("text_embeds")
        return np.concatenate(states, axis=-1), pooled

    def velocity(self, captions: list[str], height: int, width: int):
        """The guided sampler's velocity function; the unconditional half sees zeros."""
        states, pooled = (np.concatenate([np.zeros_like(x), x]) for x in self.embed(captions))
        time_ids = np.tile(np.array([height, width, 0, 0, height, width], np.float32), (len(states), 1))
        unet = self._sessions["unet"]

        def predict(latents: Tensor, timestep: int) -> Tensor:
            feeds = {
                "sample": latents.numpy(),
                "timestep": np.array(timestep, np.float32),
                "encoder_hidden_states": states,
                "text_embeds": pooled,
                "time_ids": time_ids,
            }
            return torch.from_numpy(unet.run(None, feeds)[0])

        return predict

    def pictures(
        self,
        captions: list[str],
        seed: int = 0,
        steps: int = 25,
        guidance: float = 3.0,
        height: int = 128,
        width: int = 128,
    ) -> np.ndarray:
        """Pictures for captions, uint8 [B, height, width, 3]."""
        noise = start_noise(len(captions), seed, height // 8, width // 8)
        latents = ddim(self.velocity(captions, height, width), noise, steps, guidance)
        decoded = self._sessions["vae_decoder"].run(None, {"latent_sample": latents.numpy()})[0]
        return ((np.clip(decoded, -1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
