"""Trains and exports tiny-sdxl, a text-to-image model of SDXL's architecture, from nothing on a CPU."""
