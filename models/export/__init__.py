"""Exports diffusers models to the ONNX layout that `packages/diffusion` loads."""
