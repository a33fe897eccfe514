/** RunPod's limits for inputs and results in bytes, by the kind of job. */

/** /run: "10 MB", read as the smaller of its two meanings. */
export const MAX_RUN_BYTES = 10_000_000;
/** /runsync, whose job ids begin with `sync-`: "20 MB". */
export const MAX_RUNSYNC_BYTES = 20_000_000;
/** One chunk of a stream: "1 MB", likewise. */
export const MAX_STREAM_CHUNK_BYTES = 1_000_000;
