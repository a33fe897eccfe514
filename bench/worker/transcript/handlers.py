"""The scripted session's worker on runpod-python: each job's input says what its handler does."""

import asyncio
import sys

import runpod


async def plain(job):
    does = job["input"]["does"]
    if does == "answers":
        return {"greeting": f"hello {job['input']['name']}"}
    if does == "answers text":
        return "only text"
    if does == "reports progress":
        runpod.serverless.progress_update(job, {"percent": 50})
        await asyncio.sleep(1)
        return {"percent": 100}
    if does == "returns an error":
        return {"error": "nothing to paint"}
    if does == "throws":
        raise TypeError("paint ran out")
    if does == "asks for a new worker":
        return {"refresh_worker": True, "last": True}
    await asyncio.sleep(3600)


async def stream(job):
    for part in range(1, job["input"]["parts"] + 1):
        yield {"part": part}
        await asyncio.sleep(0.1)


is_stream = "stream" in sys.argv[1:]
runpod.serverless.start({"handler": stream if is_stream else plain, "return_aggregate_stream": is_stream})
