from dataclasses import dataclass

import pytest

from server.db.paging import Page, Paging, whole_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Below(Paging):
    end: int


@pytest.mark.parametrize(("end", "reads"), [(0, 1), (1, 1), (2, 1), (3, 2), (6, 3), (7, 3)])
def test_a_whole_list_has_every_row_once_and_its_filter_stays(end: int, reads: int) -> None:
    asked: list[Below] = []

    def read(wanted: Below) -> Page[int]:
        asked.append(wanted)
        found = list(range(wanted.end))
        return Page(found[wanted.offset :][: wanted.limit], len(found))

    found = whole_list(read, Below(end=end, limit=1, offset=5), step=3)
    assert found == Page(list(range(end)), end)
    assert [wanted.end for wanted in asked] == [end] * reads
