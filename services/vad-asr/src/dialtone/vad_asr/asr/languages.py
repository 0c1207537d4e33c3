"""Languages as sessions name them, and as Whisper does."""

from __future__ import annotations

import re

# ISO 639-2 and 639-3 codes, those that ISO 639-1 has replaced, and what Whisper calls otherwise than ISO.
_ALIASES = """
afr:af alb:sq amh:am ara:ar arm:hy asm:as aze:az bak:ba baq:eu bel:be ben:bn bod:bo bos:bs bre:br bul:bg
bur:my cat:ca ces:cs chi:zh cmn:zh cym:cy cze:cs dan:da deu:de dut:nl ell:el eng:en est:et eus:eu fao:fo
fas:fa fil:tl fin:fi fra:fr fre:fr geo:ka ger:de glg:gl gre:el guj:gu hat:ht hau:ha heb:he hin:hi hrv:hr
hun:hu hye:hy ice:is in:id ind:id isl:is ita:it iw:he jav:jw jpn:ja jv:jw kan:kn kat:ka kaz:kk khm:km kor:ko
lao:lo lat:la lav:lv lin:ln lit:lt ltz:lb mac:mk mal:ml mao:mi mar:mr may:ms mkd:mk mlg:mg mlt:mt mon:mn
mri:mi msa:ms mya:my nb:no nep:ne nld:nl nno:nn nob:no nor:no oci:oc pan:pa per:fa pol:pl por:pt pus:ps
ron:ro rum:ro rus:ru san:sa sin:si slk:sk slo:sk slv:sl sna:sn snd:sd som:so spa:es sqi:sq srp:sr sun:su
swa:sw swe:sv tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tib:bo tuk:tk tur:tr ukr:uk urd:ur uzb:uz vie:vi
wel:cy yid:yi yor:yo zho:zh zsm:ms
"""
_OF_WHISPER = dict(alias.split(":") for alias in _ALIASES.split())


def primary_subtag(language: str) -> str:
    """`zh-CN` and `zh_CN` to `zh`."""
    return re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0]


def whisper_code(language: str) -> str:
    """Whisper's code of a language: ISO 639-1 but for a few. What it may not know is returned as it is."""
    code = primary_subtag(language)
    return _OF_WHISPER.get(code, code)
