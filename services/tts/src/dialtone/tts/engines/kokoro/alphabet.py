"""The symbols that Kokoro v1.0 knows, and the numbers it has for them (config.json of hexgrad/Kokoro-82M).

v1.1-zh has the same model with other symbols; its Chinese is not spoken with these.
"""

from __future__ import annotations

from collections.abc import Mapping

# Runs of symbols whose numbers follow each other, by the first of them.
_RUNS = {
    1: ";:,.!?",
    9: '—…"()“” \u0303ʣʥʦʨᵝ\uab67AI',
    31: "O",
    33: "Q",
    35: "ST",
    39: "W",
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    90: "ɟ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    123: "ɹ",
    125: "ɾɻ",
    128: "ʁɽʂʃʈʧ",
    135: "ʊʋ",
    138: "ʌɣɤ",
    142: "χʎ",
    147: "ʒʔ",
    156: "ˈˌː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
    177: "ᵻ",
}
NUMBERS: Mapping[str, int] = {
    symbol: first + offset for first, run in _RUNS.items() for offset, symbol in enumerate(run)
}
