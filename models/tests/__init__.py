"""Unit tests of the Python under models/: `python -m unittest discover -t models -s models/tests`."""
