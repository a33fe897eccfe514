"""RunPod's Hub lists only repositories that have a handler.py; this worker is a Node program and never runs this file."""

raise SystemExit("Nothing to run here: the worker is built by apps/worker/Dockerfile.")
