"""What a Moshi worker counts: its engine, but for utterances, which are its legs'. No label names a call."""

from prometheus_client import Counter, Gauge, Histogram

STEP_SECONDS = Histogram(
    "dialtone_moshi_step_seconds",
    "Time of a step of all slots, which is to be below 0.08",
    buckets=(0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.15, 0.25, 0.5, 1),
)
OVERRUNS = Counter(
    "dialtone_moshi_overruns", "Steps that took longer than the 80 ms of audio that they are for"
)
FRAMES = Counter("dialtone_moshi_frames", "Frames heard, of all calls")
FROZEN = Counter(
    "dialtone_moshi_frozen_frames", "Times a step went by without a call, for its next frame was late"
)
OPEN_SLOTS = Gauge("dialtone_moshi_open_slots", "Slots with a call")
LOST_CALLS = Counter("dialtone_moshi_lost_calls", "Calls whose slot failed in mid-call")
UTTERANCES = Counter("dialtone_moshi_utterances", "Utterances of Moshi begun")
