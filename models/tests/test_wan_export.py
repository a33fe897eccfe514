"""A random WanPipeline of diffusers, exported by export/wan.py and run by @firepod/diffusion, against diffusers itself.

Needs Node and built packages: npm install && npx tsc -b packages/contract packages/diffusion.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from export.onnx_graph import round_to_half
from export.wan import export_model
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

TESTS = Path(__file__).parent
TOKENIZER = TESTS.parents[1] / "packages" / "diffusion" / "fixtures" / "micro-wan" / "tokenizer"
"""In the form of google/umt5-xxl's, with a few dozen pieces."""

MAX_TOKENS = 24
TEXT_WIDTH = 48
REQUESTS = [
    {"prompt": "a red apple moving right", "negativePrompt": "the cat", "width": 48, "height": 64, "numFrames": 9,
     "numInferenceSteps": 4, "guidanceScale": 5.0, "seed": 7},
    {"prompt": "the cat spinning", "negativePrompt": "", "width": 80, "height": 32, "numFrames": 21,
     "numInferenceSteps": 6, "guidanceScale": 1.0, "seed": 4294967295},
]


def build_pipeline() -> WanPipeline:
    """Wan 2.1's classes at a ten-thousandth of its size; weights large enough that words and time count."""
    torch.manual_seed(50)
    text_encoder = UMT5EncoderModel(UMT5Config(
        vocab_size=len(PreTrainedTokenizerFast.from_pretrained(TOKENIZER)), d_model=TEXT_WIDTH, d_kv=16, d_ff=96,
        num_layers=3, num_heads=3, dropout_rate=0.0, feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1))
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=3, attention_head_dim=32, in_channels=16, out_channels=16,
        text_dim=TEXT_WIDTH, freq_dim=64, ffn_dim=160, num_layers=3, cross_attn_norm=True,
        qk_norm="rms_norm_across_heads", rope_max_seq_len=64)
    vae = AutoencoderKLWan(
        base_dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True])
    with torch.no_grad():
        text_encoder.shared.weight.normal_()
    for module, gain in ((transformer, 1.7), (vae, 1.3)):
        for parameter in module.parameters():
            if parameter.ndim > 1:
                parameter.data.mul_(gain)
            else:
                parameter.data.add_(0.05 * torch.randn_like(parameter))
    return WanPipeline(
        PreTrainedTokenizerFast.from_pretrained(TOKENIZER), text_encoder.eval(), vae.eval(),
        UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0), transformer.eval())


def run_diffusers(pipeline: WanPipeline, request: dict) -> tuple[np.ndarray, np.ndarray]:
    """Latents after each step, float32, and frames, uint8."""
    steps = []

    def remember(_pipeline, _index, _timestep, values):
        steps.append(values["latents"].clone())
        return values

    frames = pipeline(
        prompt=request["prompt"], negative_prompt=request["negativePrompt"], width=request["width"],
        height=request["height"], num_frames=request["numFrames"], num_inference_steps=request["numInferenceSteps"],
        guidance_scale=request["guidanceScale"], generator=torch.Generator().manual_seed(request["seed"]),
        max_sequence_length=MAX_TOKENS, callback_on_step_end=remember, output_type="np").frames[0]
    return torch.stack(steps).numpy(), (frames * 255).round().astype(np.uint8)


class WanExportTest(unittest.TestCase):
    def setUp(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="firepod-wan-export-"))
        self.addCleanup(shutil.rmtree, self.scratch)
        self.pipeline = build_pipeline()
        self.pipeline.set_progress_bar_config(disable=True)

    def compare(self, requests: list[dict], half: bool) -> None:
        source, exported = self.scratch / "Random-Wan", self.scratch / "exported"
        self.pipeline.save_pretrained(source)
        export_model(str(source), exported, half)
        questions = self.scratch / "requests.json"
        questions.write_text(json.dumps(requests))
        subprocess.run(["node", TESTS / "wan-clips.mjs", exported, questions, self.scratch], check=True)
        for index, request in enumerate(requests):
            latents, frames = run_diffusers(self.pipeline, request)
            ours = np.fromfile(self.scratch / f"{index}.latents", np.float32).reshape(latents.shape)
            pixels = np.fromfile(self.scratch / f"{index}.frames", np.uint8).reshape(frames.shape)
            difference = float(np.abs(ours - latents).max())
            squares = np.square(pixels.astype(np.float64) - frames).mean()
            ratio = 10 * np.log10(255**2 / max(squares, 1e-12))
            print(f"half={half} clip {index}: latents {difference:.1e} (their deviation {latents[-1].std():.2f}), "
                  f"PSNR {ratio:.1f} dB (deviation of pixels {frames.std():.0f})")
            self.assertLess(difference, 1e-3)
            self.assertGreaterEqual(ratio, 45)
            # The model is one that moves and that reads, or the comparison would mean little.
            self.assertGreater(np.abs(np.diff(frames.astype(float), axis=0)).mean(), 1)
            others, _ = run_diffusers(self.pipeline, request | {"prompt": "blue"})
            self.assertGreater(np.abs(others - latents).max(), 0.1)

    def test_the_exported_folder_gives_the_clips_of_diffusers(self) -> None:
        self.compare(REQUESTS, half=False)

    def test_half_weights_give_the_clips_of_diffusers_with_weights_rounded(self) -> None:
        for module in (self.pipeline.text_encoder, self.pipeline.transformer, self.pipeline.vae):
            round_to_half(module)
        self.compare(REQUESTS[:1], half=True)

    def test_another_kind_of_model_is_refused_by_what_tells_it(self) -> None:
        source = self.scratch / "source"
        self.pipeline.save_pretrained(source)
        index = json.loads((source / "model_index.json").read_text())
        (source / "model_index.json").write_text(json.dumps({**index, "boundary_ratio": 0.9}))
        with self.assertRaisesRegex(SystemExit, "boundary_ratio"):
            export_model(str(source), self.scratch / "never", False)
        self.assertFalse((self.scratch / "never").exists())


if __name__ == "__main__":
    unittest.main()
