"""Stage 5: writes the model folder, ONNX graphs in the layout of diffusers' Wan 2.1 with weights stored as float16."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler
from export.onnx_graph import round_to_half
from export.wan import TextGraph, TransformerGraph
from torch import Tensor, nn

from ..export import export_graph, swap_in, write_json
from . import sequence
from .denoiser import TEXT_WIDTH, Denoiser
from .sampling import FLOW_SHIFT
from .vae import CHANNELS
from .vocabulary import PromptEncoder, save_tokenizer


class DecoderGraph(nn.Module):
    """Latents of a whole clip, no longer normalised -> all its frames."""

    def __init__(self, vae: AutoencoderKLWan) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample: Tensor) -> Tensor:
        return sequence.decode(self.vae, latent_sample)


def _export_graphs(denoiser: Denoiser, vae: AutoencoderKLWan, prompts: PromptEncoder, folder: Path) -> dict[str, float]:
    """The three graphs, traced at sizes that differ from the native ones, so that nothing native is baked in unseen."""
    torch.manual_seed(3)
    batch, sequence_axes = {0: "batch_size"}, {0: "batch_size", 1: "sequence_length"}
    volume = {0: "batch_size", 2: "num_frames", 3: "height", 4: "width"}
    ids = torch.tensor([prompts.encode("a red apple moving right on a blue background"), prompts.encode("a cat")])
    return {
        "text_encoder": export_graph(
            TextGraph(denoiser.text_encoder),
            {"input_ids": (ids, sequence_axes), "attention_mask": ((ids != 0).long(), sequence_axes)},
            {"last_hidden_state": sequence_axes},
            folder / "text_encoder" / "model.onnx",
        ),
        "transformer": export_graph(
            TransformerGraph(denoiser.transformer),
            {
                "hidden_states": (torch.randn(2, CHANNELS, 3, 10, 14), volume),
                "timestep": (torch.tensor([501.0, 77.5]), batch),
                "encoder_hidden_states": (torch.randn(2, 20, TEXT_WIDTH), sequence_axes),
            },
            {"out_hidden_states": volume},
            folder / "transformer" / "model.onnx",
        ),
        "vae_decoder": export_graph(
            DecoderGraph(vae),
            {"latent_sample": (torch.randn(2, CHANNELS, 4, 5, 7), volume)},
            {"sample": volume},
            folder / "vae_decoder" / "model.onnx",
        ),
    }


def _write_configs(denoiser: Denoiser, vae: AutoencoderKLWan, folder: Path) -> None:
    """model_index.json, the scheduler's configuration and one for each graph."""
    scheduler = UniPCMultistepScheduler(
        num_train_timesteps=1000,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=FLOW_SHIFT,
        solver_order=2,
        solver_type="bh2",
        predict_x0=True,
        lower_order_final=True,
        final_sigmas_type="zero",
    )
    scheduler.save_config(folder / "scheduler")
    denoiser.text_encoder.config.to_json_file(str(folder / "text_encoder" / "config.json"))
    denoiser.transformer.save_config(folder / "transformer")
    vae.save_config(folder / "vae_decoder")
    write_json(
        folder / "model_index.json",
        {
            "_class_name": "WanPipeline",
            "_diffusers_version": scheduler.config.get("_diffusers_version", "0.42.1"),
            "scheduler": ["diffusers", "UniPCMultistepScheduler"],
            "text_encoder": ["transformers", "UMT5EncoderModel"],
            "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
            "transformer": ["diffusers", "WanTransformer3DModel"],
            "vae": ["diffusers", "AutoencoderKLWan"],
        },
    )


def export_model(
    denoiser: Denoiser, vae: AutoencoderKLWan, prompts: PromptEncoder, card: dict, folder: Path
) -> dict[str, float]:
    """Writes the whole folder beside its destination, then swaps it in; returns the largest difference per graph."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for module in (denoiser.text_encoder, denoiser.transformer, vae):
        round_to_half(module)
    differences = _export_graphs(denoiser, vae, prompts, fresh)
    _write_configs(denoiser, vae, fresh)
    save_tokenizer(fresh / "tokenizer", prompts)
    write_json(fresh / "model_card.json", card)
    swap_in(fresh, folder)
    return differences
