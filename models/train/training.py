"""What every training stage shares: averaged weights, learning-rate shape, checkpoints and progress lines."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn


class SliceEnded(Exception):
    """The time of this slice is used up; the checkpoint is written and the next call resumes."""


class Ema:
    """Exponential moving average of parameters; the averaged weights are the ones that ship."""

    def __init__(self, parameters: Iterable[nn.Parameter], limit: float) -> None:
        self._parameters = list(parameters)
        self._average = [p.detach().clone() for p in self._parameters]
        self._limit = limit
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Moves the average towards the parameters, fast at first, then by 1 - limit a step."""
        self._updates += 1
        decay = min(self._limit, (1 + self._updates) / (10 + self._updates))
        torch._foreach_mul_(self._average, decay)
        torch._foreach_add_(self._average, [p.detach() for p in self._parameters], alpha=1 - decay)

    @torch.no_grad()
    def copy_to_parameters(self) -> None:
        """Overwrites the parameters with their average."""
        for parameter, average in zip(self._parameters, self._average, strict=True):
            parameter.copy_(average)

    def state_dict(self) -> dict:
        return {"average": self._average, "updates": self._updates}

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        for average, saved in zip(self._average, state["average"], strict=True):
            average.copy_(saved)
        self._updates = state["updates"]


def cosine_rate(step: int, steps: int, warm_up: int, constant_until: float, floor: float = 0.01) -> float:
    """Factor on the peak rate: linear warm-up, constant, then half a cosine from `constant_until` (0..1) to `floor`."""
    share = step / steps
    if share < constant_until:
        fall = 1.0
    else:
        fall = max(floor, 0.5 * (1 + math.cos(math.pi * (share - constant_until) / (1 - constant_until))))
    return fall * min(1.0, (step + 1) / warm_up)


def save_checkpoint(path: Path, step: int, **parts) -> None:
    """Writes the state of every part, through a temporary file so that a kill never leaves half a checkpoint."""
    state = {name: part.state_dict() for name, part in parts.items()}
    temporary = path.with_suffix(".part")
    torch.save({"step": step, "random": torch.get_rng_state(), **state}, temporary)
    os.replace(temporary, path)


def load_checkpoint(path: Path, **parts) -> int:
    """Restores every part and torch's random state; returns the step reached, 0 without a checkpoint."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    return state["step"]


def load_averaged(checkpoint: Path, network) -> int:
    """Puts a checkpoint's averaged weights into anything with `parameters()`; returns the step it was written at."""
    state = torch.load(checkpoint, weights_only=True)
    with torch.no_grad():
        for parameter, average in zip(network.parameters(), state["ema"]["average"], strict=True):
            parameter.copy_(average)
    return state["step"]


class Progress:
    """Prints a line every so many steps, says when a checkpoint is due and ends a slice after its time."""

    def __init__(self, slice_minutes: float | None, checkpoint_minutes: float = 2.0, every: int = 50) -> None:
        self._ends = time.monotonic() + 60 * slice_minutes if slice_minutes else math.inf
        self._checkpoint_seconds = 60 * checkpoint_minutes
        self._saved = self._since = time.monotonic()
        self._every = every
        self._samples = 0
        self._values: dict[str, list[float]] = {}
        self._stop_after_save = False

    def report(self, stage: str, step: int, steps: int, samples: int, **values: float) -> None:
        """Notes one step; every so often prints the means since the last line."""
        self._samples += samples
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)
        if step % self._every:
            return
        now = time.monotonic()
        means = " ".join(f"{name} {sum(v) / len(v):.4f}" for name, v in self._values.items())
        clock = time.strftime("%H:%M:%S")
        print(f"{clock} {stage} {step}/{steps} {self._samples / (now - self._since):.1f} samples/s {means}", flush=True)
        self._since, self._samples, self._values = now, 0, {}

    def checkpoint_due(self) -> bool:
        """True once per checkpoint interval, and when the slice is over; the call after that raises SliceEnded."""
        if self._stop_after_save:
            raise SliceEnded
        now = time.monotonic()
        if now > self._ends:
            self._stop_after_save = True
            return True
        if now - self._saved > self._checkpoint_seconds:
            self._saved = now
            return True
        return False
