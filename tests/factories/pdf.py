"""The text of a PDF that WeasyPrint wrote, read back from its own character maps."""

import re
import zlib

_OBJECT = re.compile(rb"(?:^|\n)(\d+) 0 obj\n?(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"(.*?)stream\r?\n(.*)\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"/(\S+) [\d.]+ Tf|<([0-9a-fA-F]+)>|(ET)")


def pdf_text(content: bytes) -> str:
    """Return what a PDF says, one text object a line.

    It knows what WeasyPrint writes: glyphs of four hexadecimal digits, shown by fonts with a
    `ToUnicode` map of single characters, in streams that are deflated or plain.
    """
    objects = {int(number): body for number, body in _OBJECT.findall(content)}
    for body in list(objects.values()):
        if b"/ObjStm" in body[:40]:
            objects |= _packed(body)
    fonts: dict[bytes, dict[bytes, str]] = {}
    for body in objects.values():
        for name, reference in re.findall(rb"/(\S+) (\d+) 0 R", body):
            mapped = re.search(rb"/ToUnicode (\d+) 0 R", objects.get(int(reference), b""))
            if mapped:
                fonts[name] = _characters(_stream(objects[int(mapped[1])]))
    return "\n".join(
        line
        for body in objects.values()
        if b" Tf" in (page := _stream(body))
        for line in _lines(page, fonts)
    )


def _packed(body: bytes) -> dict[int, bytes]:
    """Unpack a stream of objects: pairs of number and place before `First`, then they."""
    first = re.search(rb"/First (\d+)", body)
    assert first is not None
    content, start = _stream(body), int(first[1])
    head = [int(word) for word in content[:start].split()]
    places = [start + place for place in head[1::2]]
    ends = [*places[1:], len(content)]
    return {n: content[a:b] for n, a, b in zip(head[::2], places, ends, strict=True)}


def _stream(body: bytes) -> bytes:
    found = _STREAM.match(body)
    if found is None:
        return b""
    return zlib.decompress(found[2]) if b"/FlateDecode" in found[1] else found[2]


def _characters(cmap: bytes) -> dict[bytes, str]:
    pairs = re.findall(rb"<([0-9a-fA-F]{4})> <([0-9a-fA-F]+)>", cmap)
    return {
        glyph.lower(): bytes.fromhex(code.decode()).decode("utf-16-be") for glyph, code in pairs
    }


def _lines(page: bytes, fonts: dict[bytes, dict[bytes, str]]) -> list[str]:
    lines, line, known = [], "", dict[bytes, str]()
    for font, glyphs, end in _SHOWN.findall(page):
        if font:
            known = fonts.get(font, {})
        elif end:
            lines.append(line)
            line = ""
        else:
            line += "".join(
                known.get(glyphs[k : k + 4].lower(), "\ufffd") for k in range(0, len(glyphs), 4)
            )
    return lines
