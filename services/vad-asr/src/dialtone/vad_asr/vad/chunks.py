"""The pieces of a stream that the network judges."""

CHUNK = 512  # samples at 16 kHz, 32 ms; fixed by Silero
CHUNK_BYTES = 2 * CHUNK
