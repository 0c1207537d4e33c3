"""Chinese as it is read out."""

import pytest

from dialtone.tts.text import say

CASES = [
    ("价格是3.5元。", "价格是三点五元。"),
    ("$3.50很便宜", "三点五零美元很便宜"),
    ("今天是2024年5月3日。", "今天是二零二四年五月三日。"),
    ("现在是下午3:30。", "现在是下午三点三十分。"),
    ("增长了5.5%。", "增长了百分之五点五。"),
    ("请拨打13800138000。", "请拨打幺三八零零幺三八零零零。"),
    ("一共有1234个人，第1名。", "一共有一千二百三十四个人，第一名。"),
    ("气温是-5°C。", "气温是负五摄氏度。"),
    ("重5kg，长10km。", "重五千克，长十公里。"),
    ("1/2的人", "二分之一的人"),
    ("请看 https://www.example.com 。", "请看 example 点 com 。"),
    ("他说“你好”（真的）。", "他说 你好 ，真的，。"),
    ("你好，很高兴认识你！", "你好，很高兴认识你！"),
]


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_chinese_is_read_out(written: str, spoken: str) -> None:
    assert say(written, "zh") == spoken


@pytest.mark.parametrize("written", ["#12 &", "1" * 300, "①②", "5" * 20 + "@" * 20, "３．５元", "1.2.3.4:5"])
def test_odd_input_is_survived(written: str) -> None:
    assert say(written + "好", "zh")
