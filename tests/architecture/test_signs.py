"""No way leads from a score of forgery to attendance, pay or any other verdict."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READS = re.compile(
    r"FindingKind\.SIGNS|\bDaySigns\b|\bday_signs\b|\bsigns_in_scope\b|\bown_signs\b"
    r"|\bfind_forgery\b|\bsigns_of_oneself\b"
)
MAY = {
    # Make them.
    *("geo/forgery.py", "server/tracking/signs.py", "server/tracking/signs_store.py"),
    *("server/tracking/signs_facts.py", "server/tracking/signs_models.py"),
    # Keep them apart from what is shown beside a day, and forget them.
    *("server/findings/rules.py", "server/findings/scopes.py", "server/findings/queries.py"),
    *("server/tracking/retention.py",),
    # Show them to a person.
    *("web/signs/views.py", "web/me/views.py"),
}


def test_only_those_who_make_keep_and_show_signs_know_of_them() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("geo", "server", "web", "ingest", "mobile_api")
        for path in (ROOT / folder).rglob("*.py")
        if not {"migrations", "node_modules"} & set(path.parts)
        and READS.search(path.read_text(encoding="utf-8"))
    }
    assert found == MAY
