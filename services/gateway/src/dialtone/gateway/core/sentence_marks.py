"""Characters and words that decide where a sentence ends, in English and in Chinese."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Written between wide characters and never within a number or a name: they decide at once.
WIDE_ENDS = frozenset("。！？")
WIDE_CLAUSES = frozenset("，：")
WIDE_SEMICOLON = "；"

DOTS = frozenset(".．")
ELLIPSIS = "…"
EXCLAMATIONS = frozenset("!?")
CLAUSES = frozenset(",:")
DASHES = frozenset("—–")

# Marks that may stand in a row at the end of one sentence ("?!", "...", "!!").
END_RUN = DOTS | EXCLAMATIONS | WIDE_ENDS | {ELLIPSIS}

# Places to cut a run that is too long.
BREATHS = CLAUSES | WIDE_CLAUSES | DASHES | {";", WIDE_SEMICOLON, "、", "·"}

PAIRS = {
    "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»", "(": ")", "（": "）",
    "[": "]", "【": "】", "〔": "〕", "《": "》", "〈": "〉", "{": "}",
}  # fmt: skip
OPENERS = frozenset(PAIRS)
# Emphasis and code of markdown close after the mark as a quote does.
TOGGLES = frozenset('"*_`~')
CLOSERS = frozenset(PAIRS.values()) | TOGGLES | {"'"}

# Never the last word of a sentence.
LEADING = _words(
    "Mr Mrs Ms Mx Dr Prof Rev Hon Gen Col Maj Capt Cmdr Lt Sgt Gov Sen Rep Pres Messrs St Mt Ft mr mrs "
    "ms dr prof vs e.g i.e eg ie cf viz ca approx"
)
# Of a number that follows ("No. 5", "Jan. 3"); a word like any other ("No. I won't.") if none does.
NUMBERED = _words(
    "No Nos no nos Nr Fig Figs fig figs Vol vol Ch ch Sec sec Eq eq Art art p pp pg para Jan Feb Mar "
    "Apr Jun Jul Aug Sep Sept Oct Nov Dec"
)
# In the middle of a sentence or at its end: a capital after it tells.
TRAILING = _words(
    "etc al Inc Ltd Co Corp Bros Jr Sr Ave Blvd Rd Hwy Dept dept Est est ext Ext min max hr hrs lb lbs "
    "oz tel Tel misc incl govt Assn yr yrs mo a.m p.m A.M P.M Ph.D M.D B.A M.A B.Sc M.Sc D.Phil"
)
# A capital after an initial ("J. Smith", "U.S. Army") tells nothing; these words begin a sentence.
STARTERS = _words(
    "A About After Again All Also Although An And Another Any Are As At Be Because Before Both But By "
    "Can Could Did Do Does During Each Even Every First For From Had Has Have He Her Here His How "
    "However I If In Is It Its Just Last Later Let Like Many Maybe Meanwhile More Most My New Next No "
    "Not Now Of On Once One Only Or Other Our Over Perhaps Please She Should Since So Some Sometimes "
    "Such Thanks That The Their Then There These They This Those Though Thus To Today Two Under Until "
    "Was We Well Were What When Where Which While Who Why Will With Would Yes Yet You Your"
)
LONGEST_STARTER = max(map(len, STARTERS))


def is_wide(char: str) -> bool:
    """Whether `char` is of a script without spaces between words, or of its punctuation."""
    code = ord(char)
    return code >= 0x2E80 and (
        code <= 0x9FFF  # CJK radicals and punctuation, kana, bopomofo, Han
        or 0xAC00 <= code <= 0xD7AF
        or 0xF900 <= code <= 0xFAFF
        or 0xFE30 <= code <= 0xFE4F
        or 0xFF00 <= code <= 0xFFEF
        or 0x20000 <= code <= 0x3FFFF
    )


def is_speakable(text: str) -> bool:
    """Whether a voice has anything to say for `text`: a letter, a digit or a Han character."""
    return any(map(str.isalnum, text))
