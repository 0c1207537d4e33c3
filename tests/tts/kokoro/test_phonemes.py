"""Words in the symbols that the model was trained on."""

from __future__ import annotations

import pytest

from dialtone.tts.engines.kokoro.alphabet import NUMBERS
from dialtone.tts.engines.kokoro.phonemes import symbols


@pytest.mark.parametrize(
    ("accent", "text", "said"),
    [
        ("en-us", "Hello there, the butter is better.", "həlˈO ðˈɛɹ, ðə bˈʌTəɹ ɪz bˈɛTəɹ."),
        ("en-us", "I go now; how may I join?", "ˌI ɡˌO nˈW; hˌW mˈA ˌI ʤˈYn?"),
        ("en-us", "A button.", "ə bˈʌtᵊn."),
        ("en-gb", "Go near the church.", "ɡˌQ nˌɪə ðə ʧˈɜːʧ."),
        ("es", "Mañana voy a la ciudad.", "maɲˈana βˈoɪ a la θjuðˈad."),
        ("fr", "Un bon vin blanc.", "œ̃ bˈɔ̃ vˈɛ̃ blˈɑ̃."),
        ("it", "Una pizza, grazie.", "ˌʊna pˈiʦːa, ɡɾˈaʦje."),
        ("pt-br", "Não, obrigado.", "nˈɐ̃ʊ̃, ˌobɾiɡˈadʊ."),
        ("hi", "नमस्ते", "nəmˈʌsteː"),
        ("zh", "你好，世界。", "ni↓xau↓, ʂɨ↘ʨje↘."),
        ("zh", "女士在银行等着。", "ny↓ʂɨ↘ ʦai↘ i↗nxa↗ŋ tə↓ŋ ꭧɤ."),
        ("zh", "我用 iPhone 打电话！", "wo↓jʊ↘ŋ ˈI fˈOn ta↓tjɛ↘nxwa↘!"),
    ],
)
def test_a_sentence_in_symbols(accent: str, text: str, said: str) -> None:
    found = symbols(text, accent)
    assert found == said
    assert set(found) <= set(NUMBERS), "the model has a number for each"


def test_a_character_that_nobody_can_read_is_left_out() -> None:
    assert symbols("你\U0002a6df好😀。", "zh").replace(" ", "") == "ni↓xau↓."
