"""Trains and exports tiny-wan, a text-to-video model of Wan 2.1's architecture, from nothing on a CPU."""
