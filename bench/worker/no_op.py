"""The measured worker on runpod-python: answers at once, or waits until it is stopped and says when it noticed."""

import asyncio
import os
import time

import runpod


async def handler(job):
    if not job["input"].get("waits"):
        return {"done": True}
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print(f"stopped {int(time.time() * 1000)}", flush=True)
        raise


concurrency = int(os.environ.get("BENCH_CONCURRENCY", "1"))
runpod.serverless.start({"handler": handler, "concurrency_modifier": lambda current: concurrency})
