"""The carrier's part of a question where somebody is, in the words of questions."""

from geo.fix import Source
from server.carriers.services import Asker, CarrierFix, Desk, RefusalCode, locate_phone
from server.tracking.locate_settling import AskCarrier, CarrierQuestion, CarrierSays, Place
from server.tracking.resolving import cell_placer


def carrier_asker(desk: Desk) -> AskCarrier:
    """Return how a question is put to the carriers of its tenant.

    Parameters
    ----------
    desk : parts of this process; the answer may take as long as the carriers' time-outs.
    """

    def ask(question: CarrierQuestion) -> CarrierSays:
        said = locate_phone(
            desk,
            tenant_id=question.tenant_id,
            employee_id=question.employee_id,
            purpose=question.purpose.value,
            asker=Asker(question.asker_name, question.asker_id),
            place_cells=cell_placer(desk, question.tenant_id),
        )
        if isinstance(said, CarrierFix):
            return CarrierSays(
                Place(
                    lon_deg=said.lon_deg,
                    lat_deg=said.lat_deg,
                    accuracy_m=said.accuracy_m,
                    fixed_at=said.fixed_at,
                    source=Source.LBS.value,
                )
            )
        if said.code is RefusalCode.NO_PROVIDER:
            return CarrierSays()
        return CarrierSays(refusal=said.code.value)

    return ask
