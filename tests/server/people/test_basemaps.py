from collections.abc import Iterator

import pytest

from fixtures.stack import DatabaseUrls
from server.clock import ManualClock
from server.errors import Forbidden, InvalidInput
from server.people.basemaps import (
    AMAP,
    ATTRIBUTIONS,
    BUILT_IN,
    OSM,
    TIANDITU_HOSTS,
    Basemap,
    BasemapKind,
    basemap_of,
    checked,
    choose_basemap,
)
from server.people.models import Role
from tests.factories.company import Company, company
from tests.server.people.test_rules import principal


@pytest.fixture
def acme(database: DatabaseUrls) -> Iterator[Company]:
    with company(database) as made:
        yield made


def test_nothing_outside_is_asked_by_default(acme: Company) -> None:
    with acme.transaction() as session:
        assert basemap_of(session, tenant_id=acme.tenant_id) == BUILT_IN
    assert BUILT_IN.origins == ()


@pytest.mark.parametrize(
    ("wanted", "origins"),
    [
        (Basemap(kind=BasemapKind.PMTILES, address="china-2026.pmtiles"), ()),
        (Basemap(kind=BasemapKind.RASTER), ("https://tile.openstreetmap.org",)),
        (
            Basemap(kind=BasemapKind.RASTER, address="https://a.test:8443/{z}/{x}/{y}.png"),
            ("https://a.test:8443",),
        ),
        (Basemap(kind=BasemapKind.TIANDITU, access_key="0123456789abcdef"), TIANDITU_HOSTS),
        (Basemap(kind=BasemapKind.AMAP), ("https://webrd01.is.autonavi.com",)),
        (
            Basemap(
                kind=BasemapKind.STYLE,
                address="https://styles.test/day.json",
                dark_address="https://styles.test/night.json",
                hosts=("https://tiles.test", "https://fonts.test:444"),
            ),
            ("https://styles.test", "https://tiles.test", "https://fonts.test:444"),
        ),
    ],
)
def test_each_kind_names_the_hosts_it_needs_and_no_others(
    acme: Company, wanted: Basemap, origins: tuple[str, ...]
) -> None:
    with acme.transaction() as session:
        stored = choose_basemap(session, acme.clock, tenant_id=acme.tenant_id, wanted=wanted)
    with acme.transaction() as session:
        assert basemap_of(session, tenant_id=acme.tenant_id) == stored
    assert stored.origins == origins
    assert wanted.kind is BasemapKind.STYLE or stored.attribution == ATTRIBUTIONS[wanted.kind]
    with acme.transaction() as session:
        choose_basemap(session, acme.clock, tenant_id=acme.tenant_id, wanted=BUILT_IN)
        assert basemap_of(session, tenant_id=acme.tenant_id) == BUILT_IN


def test_usual_addresses_are_filled_in() -> None:
    assert checked(Basemap(kind=BasemapKind.RASTER)).address == OSM
    assert checked(Basemap(kind=BasemapKind.AMAP)).address == AMAP
    own = checked(Basemap(kind=BasemapKind.AMAP, attribution=" 审图号 GS(2026)1 "))
    assert own.attribution == "审图号 GS(2026)1"


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (Basemap(kind=BasemapKind.PMTILES, address="../secrets.pmtiles"), {"address"}),
        (Basemap(kind=BasemapKind.PMTILES, address="a/b.pmtiles"), {"address"}),
        (Basemap(kind=BasemapKind.PMTILES, address="notes.txt"), {"address"}),
        (Basemap(kind=BasemapKind.PMTILES), {"address"}),
        (Basemap(kind=BasemapKind.TIANDITU), {"access_key"}),
        (Basemap(kind=BasemapKind.TIANDITU, access_key="a b; c"), {"access_key"}),
        (Basemap(kind=BasemapKind.STYLE), {"address"}),
        *(
            (Basemap(kind=BasemapKind.STYLE, address=address), {"address"})
            for address in (
                "http://styles.test/day.json",
                "javascript:alert(1)",
                "https://user:word@styles.test/x",
                "https://styles.test;script-src/x",
                "https://*/x",
                "https://styles.test:port/x",
                "https:///x",
                "//styles.test/x",
            )
        ),
        (Basemap(kind=BasemapKind.RASTER, address="https://a.test/{z}/{x}.png"), {"address"}),
        *(
            (
                Basemap(kind=BasemapKind.STYLE, address="https://s.test/x", hosts=(host,)),
                {"hosts"},
            )
            for host in ("*", "tiles.test", "https://tiles.test/path", "https://a b", "'self'")
        ),
        (Basemap(kind=BasemapKind.RASTER, attribution="x" * 501), {"attribution"}),
    ],
)
def test_what_could_widen_the_content_policy_is_refused(wanted: Basemap, fields: set[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(wanted)
    assert set(refused.value.fields) == fields


def test_only_who_administers_all_of_it_chooses(acme: Company) -> None:
    branch_admin = principal((Role.ADMIN, acme.branch_id))
    with acme.transaction() as session, pytest.raises(Forbidden):
        choose_basemap(
            session,
            ManualClock(),
            tenant_id=acme.tenant_id,
            wanted=Basemap(kind=BasemapKind.RASTER),
            principal=branch_admin,
        )
