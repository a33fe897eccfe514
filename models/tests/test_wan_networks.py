"""The networks of tiny-wan against diffusers' own forms of them."""

from __future__ import annotations

import unittest

import torch
from diffusers import UniPCMultistepScheduler
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from train.wan import sequence
from train.wan.captions import known_words
from train.wan.denoiser import Denoiser, PlainAttention
from train.wan.sampling import sample
from train.wan.vae import build_vae
from train.wan.vocabulary import MAX_LENGTH, PromptEncoder


def _shaken_vae() -> torch.nn.Module:
    """An autoencoder in which no weight is zero but those of the convolutions that see one frame."""
    torch.manual_seed(1)
    vae = build_vae().eval().requires_grad_(False)
    for parameter in vae.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    for module in vae.modules():
        if getattr(module, "flat", False):
            sequence.mark_flat(module)
    return vae


class SequenceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.vae = _shaken_vae()

    def test_decoding_at_once_equals_decoding_in_chunks(self) -> None:
        for frames in (1, 2, 5):
            latents = torch.randn(2, 16, frames, 4, 6)
            wanted = self.vae.decode(latents).sample
            self.assertEqual(wanted.shape, (2, 3, 4 * frames - 3, 32, 48))
            difference = (sequence.decode(self.vae, latents).clamp(-1, 1) - wanted).abs().max().item()
            self.assertLess(difference, 1e-5)

    def test_encoding_at_once_equals_encoding_in_chunks(self) -> None:
        for frames in (1, 5, 17):
            clips = torch.rand(2, 3, frames, 32, 48) * 2 - 1
            wanted = self.vae.encode(clips).latent_dist.mean
            self.assertEqual(wanted.shape[2], (frames + 3) // 4)
            difference = (sequence.encode(self.vae, clips) - wanted).abs().max().item()
            self.assertLess(difference, 2e-5)

    def test_a_later_frame_never_changes_an_earlier_one(self) -> None:
        latents = torch.randn(1, 16, 4, 4, 4)
        changed = latents.clone()
        changed[:, :, 3] += 1
        before, after = sequence.decode(self.vae, latents), sequence.decode(self.vae, changed)
        self.assertTrue(torch.equal(before[:, :, :9], after[:, :, :9]))
        self.assertFalse(torch.allclose(before[:, :, 9:], after[:, :, 9:]))


class DenoiserTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        torch.manual_seed(2)
        cls.prompts = PromptEncoder(known_words())
        cls.denoiser = Denoiser.build(len(cls.prompts))
        for network in (cls.denoiser.transformer, cls.denoiser.text_encoder):
            network.eval().requires_grad_(False)
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))

    def test_attention_equals_that_of_diffusers(self) -> None:
        inputs = torch.randn(2, 16, 3, 4, 6), torch.tensor([10.0, 900.0]), torch.randn(2, 9, 128)
        actual = self.denoiser.predict(*inputs)
        self.denoiser.transformer.set_attn_processor(WanAttnProcessor())
        wanted = self.denoiser.predict(*inputs)
        self.denoiser.transformer.set_attn_processor(PlainAttention())
        self.assertLess((actual - wanted).abs().max().item(), 1e-4)

    def test_what_lies_beyond_the_prompt_is_zero_and_padding_changes_nothing(self) -> None:
        ids = self.prompts.encode("a spinning star")
        length = ids.index(0)
        padded = self.denoiser.embed(torch.tensor([ids]))
        bare = self.denoiser.embed(torch.tensor([ids[:length]]))
        self.assertEqual(padded[:, length:].abs().max().item(), 0)
        self.assertLess((padded[:, :length] - bare).abs().max().item(), 1e-5)

    def test_flow_sampling_of_a_perfect_velocity_ends_at_the_clip(self) -> None:
        clip = torch.randn(1, 16, 2, 4, 4)
        scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)

        def velocity(latents: torch.Tensor, timestep: float) -> torch.Tensor:
            sigma = scheduler.sigmas[scheduler.index_for_timestep(timestep)]
            return (latents - clip) / sigma

        ended = sample(velocity, scheduler, torch.randn_like(clip), 12)
        self.assertLess((ended - clip).abs().max().item(), 1e-3)


class VocabularyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.prompts = PromptEncoder(known_words())

    def _tokens(self, text: str) -> list[str]:
        return self.prompts.tokenizer.encode(text).tokens

    def test_known_words_are_one_token_each(self) -> None:
        self.assertEqual(self._tokens("A red  Apple"), ["▁a", "▁red", "▁apple", "</s>"])

    def test_other_words_fall_into_characters(self) -> None:
        self.assertEqual(self._tokens("cats, xy"), ["▁cat", "s", ",", "▁", "x", "y", "</s>"])

    def test_the_empty_prompt_is_the_end_alone_and_long_ones_keep_it(self) -> None:
        self.assertEqual(self.prompts.encode(""), [1] + [0] * (MAX_LENGTH - 1))
        self.assertEqual(self.prompts.encode("a " * 50)[-1], 1)


if __name__ == "__main__":
    unittest.main()
