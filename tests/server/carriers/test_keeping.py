"""How long what carriers said is kept."""

from datetime import timedelta

from server.carriers.services import CarrierFix, ProviderKind, SeenCell, geolocate
from server.tracking.retention import forget_past_retention
from tests.factories.carrier_server import seen
from tests.server.carriers.conftest import Carriers

HERE = seen(time="20261118115930", off="+0800", x="31 13 49.44N", y="121 28 25.32E")


def forget(carriers: Carriers) -> tuple[int, int]:
    with carriers.acme.owner.begin() as connection:
        report = forget_past_retention(connection, carriers.acme.clock)
    return report.carrier_places, report.carrier_requests


def test_places_go_with_the_fixes_and_who_asked_stays_for_two_years(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.add("cells", ProviderKind.GEOLOCATE)
    carriers.server.phones["8613800138000"] = HERE
    assert isinstance(carriers.locate(carriers.person()), CarrierFix)
    cell = SeenCell(radio="gsm", mcc=460, mnc=0, area=4282, cell=1374)
    geolocate(carriers.desk, tenant_id=carriers.acme.tenant_id, cells=[cell])
    carriers.acme.clock.advance(timedelta(days=29))
    assert forget(carriers) == (0, 0)
    carriers.acme.clock.advance(timedelta(days=2))
    assert forget(carriers) == (2, 0)
    assert forget(carriers) == (0, 0)
    assert carriers.rows("SELECT place, fixed_at, accuracy_m FROM carrier_requests") == [
        (None, None, None),
        (None, None, None),
    ]
    assert carriers.rows("SELECT FROM carrier_radio_answers") == []
    carriers.acme.clock.advance(timedelta(days=365))
    # The counts of that day: of everybody, of the person, and of the service.
    assert forget(carriers) == (0, 3)
    carriers.acme.clock.advance(timedelta(days=365))
    assert forget(carriers) == (0, 2)
    assert carriers.rows("SELECT FROM carrier_requests") == []
