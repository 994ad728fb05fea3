"""XML of strangers: encodings, declarations that attack, limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.carriers.codec.xml_tree import MAX_BYTES, Element, Malformed, parse


def reason_of(document: bytes, content_type: str = "") -> str:
    found = parse(document, content_type=content_type)
    assert isinstance(found, Malformed), found
    return found.reason


def tree(document: bytes, content_type: str = "") -> Element:
    found = parse(document, content_type=content_type)
    assert isinstance(found, Element), found
    return found


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>"""


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (BOMB, "doctype"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "doctype"),
        (b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1/p"> %p;]><a/>', "doctype"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/e.dtd"><a>&x;</a>', "doctype"),
        (b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>', "doctype"),
        (b"<a>&nbsp;</a>", "xml"),
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"<a><b></a>", "xml"),
        (b"<a/><b/>", "xml"),
        (b"<a>\x00</a>", "xml"),
        (b"<a", "xml"),
        (b"hello", "xml"),
        (b"{}", "xml"),
        (b"<a>" * 41 + b"</a>" * 41, "depth"),
        (b"<a>" * 20_000, "depth"),
        (b"<a>" + b"<b/>" * 10_001 + b"</a>", "size"),
        (b"<a>" + b"x" * 9_000 + b"</a>", "size"),
        (b" " * (MAX_BYTES + 1), "size"),
        (b'<?xml version="1.0" encoding="ebcdic-xy"?><a/>', "encoding"),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xff\xff</a>', "encoding"),
    ],
)
def test_what_is_not_read_has_a_reason(document: bytes, reason: str) -> None:
    assert reason_of(document) == reason


WORDS = "用户不在服务区"


@pytest.mark.parametrize(
    ("declared", "used", "content_type"),
    [
        ("GB2312", "gb2312", "text/xml"),
        ("gbk", "gbk", ""),
        ("GB18030", "gb18030", ""),
        ("UTF-8", "utf-8", "text/xml; charset=iso-8859-1"),
        # Servers that say one and write the other.
        ("GB2312", "utf-8", ""),
        ("UTF-8", "gb2312", ""),
        ("", "utf-8", ""),
        ("", "gb2312", "text/xml; charset=GB2312"),
        ("", "gb2312", "text/html"),
    ],
)
def test_chinese_is_read_however_it_is_announced(
    declared: str, used: str, content_type: str
) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    document = f"{head}<a><add_info>{WORDS}</add_info></a>".encode(used)
    assert tree(document, content_type).value("add_info") == WORDS


def test_marks_of_byte_order_are_understood() -> None:
    for codec in ("utf-8-sig", "utf-16"):
        assert tree(f"<a><b>{WORDS}</b></a>".encode(codec)).value("b") == WORDS


def test_names_are_local_and_a_dtd_that_is_only_named_is_not_fetched() -> None:
    root = tree(
        b'<!DOCTYPE s SYSTEM "http://127.0.0.1:1/none.dtd"><m:s xmlns:m="x.dtd" m:k="v">'
        b"<m:a> 1 </m:a><a>2</a></m:s>"
    )
    assert root.name == "s"
    assert root.attributes["k"] == "v"
    assert [e.text for e in root.all("a")] == [" 1 ", "2"]
    assert root.value("a") == "1"
    assert root.first("none") is None


@given(st.binary(max_size=400))
def test_nothing_raises(noise: bytes) -> None:
    assert isinstance(parse(noise), Element | Malformed)
    assert isinstance(parse(b"<a>" + noise + b"</a>"), Element | Malformed)
