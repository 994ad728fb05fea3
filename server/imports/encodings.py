"""Which bytes stand for which characters: by mark, by proof, by the words of the header."""

import codecs
from collections.abc import Iterable
from typing import Final

from charset_normalizer import from_bytes

from server.imports.columns import match_header, required_of
from server.imports.kinds import Kind
from server.imports.table import HEADER_WITHIN, FileRefused

ENCODINGS: Final = ("utf-8", "gb18030", "big5", "utf-16")
"""What people may choose when the guess is wrong."""

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_SAMPLE: Final = 16_384
_SEPARATORS: Final = (",", ";", "\t", "|")


def detect_encoding(content: bytes, kind: Kind, *, wanted: str | None = None) -> tuple[str, bool]:
    """Return Python's name of a text file's encoding and whether it is certain.

    A byte order mark decides; then valid UTF-8 does, which no other encoding is by chance.
    Between GB18030 and Big5 the one wins in which the header reads as columns of ours.

    Parameters
    ----------
    content : the whole file.
    kind : whose columns are looked for.
    wanted : one of `ENCODINGS` that somebody chose; None to find out.

    Raises
    ------
    FileRefused : `undecodable` when nothing fits.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            if not name:
                break
            return name, True
    if wanted is not None:
        return _with_order(content, wanted), True
    is_utf8 = _decoded(content, "utf-8") is not None
    has_nul = b"\x00" in content[:_SAMPLE]
    if is_utf8 and not has_nul:
        return "utf-8", True
    scored = [
        (score_of(text, kind), -rank, name)
        for rank, name in enumerate(_candidates(content))
        if (text := _decoded(content, name)) is not None
    ]
    best, _rank, name = max(scored, default=(0, 0, ""))
    if best == 0 and is_utf8:
        return "utf-8", False
    if not name:
        raise FileRefused("undecodable")
    if best == 0:
        # No header to go by: a guess by frequencies of characters, for the message's sake.
        guess = from_bytes(content[:_SAMPLE], cp_isolation=["gb18030", "big5"]).best()
        return (guess.encoding if guess else name), False
    others = [score for score, _other, other in scored if other != name]
    # A header that reads in one of them only leaves no doubt.
    return name, best >= len(required_of(kind)) and best > max(others, default=0)


def score_of(text: str, kind: Kind) -> int:
    """Return how many columns the likeliest header line of a text names."""
    return max((best_separator([line], kind)[1] for line in _first_lines(text)), default=0)


def best_separator(lines: Iterable[str], kind: Kind) -> tuple[str, int]:
    """Return the separator under which some line names most columns, and how many.

    Where none names any, the most frequent one.
    """
    lines = list(lines)
    ranked = [
        (
            max(len(set(match_header(_split(line, sep), kind).values())) for line in lines),
            sum(line.count(sep) for line in lines),
            -rank,
            sep,
        )
        for rank, sep in enumerate(_SEPARATORS)
    ]
    named, _frequency, _rank, separator = max(ranked)
    return separator, named


def _split(line: str, separator: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(separator)][:256]


def _first_lines(text: str) -> list[str]:
    return text[:_SAMPLE].splitlines()[:HEADER_WITHIN]


def _candidates(content: bytes) -> list[str]:
    if b"\x00" in content[:_SAMPLE]:
        return ["utf-16-le", "utf-16-be"]
    return ["gb18030", "big5hkscs"]


def _with_order(content: bytes, wanted: str) -> str:
    if wanted == "utf-16":
        even, odd = content[:_SAMPLE:2].count(0), content[1:_SAMPLE:2].count(0)
        return "utf-16-be" if even > odd else "utf-16-le"
    return "big5hkscs" if wanted == "big5" else wanted


def _decoded(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except UnicodeDecodeError:
        return None
