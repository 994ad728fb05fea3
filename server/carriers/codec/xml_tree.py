"""Read XML of strangers: by local name, within limits, nothing declared and nothing fetched.

Carriers send documents whose DTD no parser can load and whose declared encoding is often
not the one used, so this builds a plain tree of names and texts. A declaration of entities,
or a DTD inside the document, is refused whole; one that is only named is not fetched.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

MAX_BYTES: Final = 262_144
_MAX_DEPTH: Final = 40
_MAX_ELEMENTS: Final = 10_000
_MAX_TEXT: Final = 8_192
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", re.ASCII)
# GB18030 reads everything that GB2312 and GBK can say.
_CODECS: Final = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "utf-8-sig",
    "ascii": "utf-8-sig",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "cp936": "gb18030",
    "big5": "big5",
    "iso-8859-1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
    "utf-16": "utf-16",
}
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why a document is not read; `reason` a code, `detail` without content of it."""

    reason: str
    detail: str


@dataclass(slots=True)
class Element:
    """One element: its local name, attributes by local name, own text, children in order."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """Yield this element and all below it, in document order."""
        pending = [self]
        while pending:
            element = pending.pop()
            yield element
            pending += reversed(element.children)

    def first(self, *names: str) -> "Element | None":
        """Return the first element below with one of these names, in document order."""
        return next((e for e in self.walk() if e is not self and e.name in names), None)

    def all(self, *names: str) -> list["Element"]:
        """Return every element below with one of these names, in document order."""
        return [e for e in self.walk() if e is not self and e.name in names]

    def child(self, name: str) -> "Element | None":
        """Return the first direct child of a name."""
        return next((e for e in self.children if e.name == name), None)

    def value(self, *names: str) -> str | None:
        """Return the stripped text of the first element below of these names; None if empty."""
        found = self.first(*names)
        return (found.text.strip() or None) if found is not None else None


class _Refused(Exception):  # never leaves this module
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.malformed = Malformed(reason, detail)


def parse(document: bytes, *, content_type: str = "") -> Element | Malformed:
    """Read a document.

    Parameters
    ----------
    document : at most 256 KiB.
    content_type : as the transport said; its charset counts where the document names none.

    Returns
    -------
    The root, or why not: `size`, `empty`, `encoding`, `xml`, `doctype`, `depth`. Never raises.
    Linear in the size.
    """
    if len(document) > MAX_BYTES:
        return Malformed("size", f"more than {MAX_BYTES} bytes")
    if not document.strip():
        return Malformed("empty", "an empty document")
    text = _decoded(document, content_type)
    if text is None:
        return Malformed("encoding", "the bytes are not in the encoding that is named")
    builder = _Builder()
    try:
        builder.parser.Parse(text.encode("utf-8"), True)  # noqa: FBT003  # expat takes no keyword
    except _Refused as refused:
        return refused.malformed
    except expat.ExpatError as error:
        return Malformed("xml", f"{expat.ErrorString(error.code)} in line {error.lineno}")
    except UnicodeEncodeError:
        return Malformed("encoding", "half of a character")
    assert builder.root is not None
    return builder.root


def _decoded(document: bytes, content_type: str) -> str | None:
    """Decode by mark, by what the document says, by the transport; then by what fits."""
    marked = [codec for mark, codec in _BOMS if document.startswith(mark)]
    declared = _DECLARED.match(document)
    charset = _CHARSET.search(content_type)
    if marked:
        candidates = marked
    elif declared is not None:
        named = _CODECS.get(declared[1].decode("ascii").lower())
        if named is None:
            return None
        # Servers announce GB2312 and write UTF-8, or the other way round. Chinese text in
        # one of them is next to never valid in the other.
        candidates = [named, "utf-8", "gb18030"]
    elif charset is not None and charset[1].lower() in _CODECS:
        candidates = [_CODECS[charset[1].lower()], "utf-8", "gb18030"]
    else:
        candidates = ["utf-8", "gb18030"]
    if "gb18030" in candidates:
        # UTF-8 often passes as GB18030; the reverse is next to never.
        candidates = ["utf-8", *candidates]
    for codec in candidates:
        try:
            return document.decode(codec)
        except UnicodeError:
            continue
    return None


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        # The text is given as UTF-8, whatever the document declares.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._declares
        self.parser.ExternalEntityRefHandler = self._fetches
        self.parser.SkippedEntityHandler = self._unknown_entity
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= _MAX_DEPTH:
            raise _Refused("depth", f"deeper than {_MAX_DEPTH} elements")
        if self._count > _MAX_ELEMENTS:
            raise _Refused("size", f"more than {_MAX_ELEMENTS} elements")
        named = {_local(key): value[:_MAX_TEXT] for key, value in attributes.items()}
        element = Element(_local(name), named)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) + len(text) > _MAX_TEXT:
            raise _Refused("size", f"a text of more than {_MAX_TEXT} characters")
        element.text += text

    def _doctype(
        self, _name: str, _system: str | None, _public: str | None, has_internal: int
    ) -> None:
        if has_internal:
            raise _Refused("doctype", "a DTD inside the document")

    def _declares(self, *_what: object) -> None:
        raise _Refused("doctype", "an entity is declared")

    def _fetches(self, *_what: object) -> int:
        raise _Refused("doctype", "an entity outside the document")

    def _unknown_entity(self, *_what: object) -> None:
        raise _Refused("doctype", "an entity that nothing declares")


def _local(name: str) -> str:
    return name.rsplit(":", 1)[-1]
