"""Words for signs: calm ones, each with the readings that blame nobody."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from web.findings import words as findings

TITLES: Final[Mapping[str, LazyString]] = {
    "mock": _l("The phone itself names a mock provider"),
    "teleport": _l("A stretch elsewhere that only an impossible speed joins"),
    "acceleration": _l("Changes of speed that no vehicle makes"),
    "frozen": _l("One position to the last digit, fix after fix"),
    "constant": _l("Accuracy and speed that never change while moving"),
    "smooth": _l("A way without any error of measurement"),
    "replay": _l("The positions of an older day again"),
    "twin": _l("Two phones that move and err as one"),
    "clock": _l("A clock that is set wrong"),
    "cell_mismatch": _l("Cells that cannot be heard there"),
}

INNOCENT: Final[Mapping[str, LazyString]] = {
    "mock": _l(
        "Developer options left on, an app for navigation or a Bluetooth receiver that feeds the "
        "phone its positions, a phone that was used for tests before."
    ),
    "teleport": _l(
        "A receiver disturbed near ports, airports or power plants, positions by Wi-Fi of a "
        "router that moved house, a flight or fast train between two fixes."
    ),
    "acceleration": _l("Reflections between tall buildings, leaving a tunnel or a garage."),
    "frozen": _l(
        "A phone at rest that repeats its last position, positions by Wi-Fi, a saving mode that "
        "reports without measuring."
    ),
    "constant": _l("An app or receiver that reports fixed values, or rounds them coarsely."),
    "smooth": _l("A navigation app that snaps positions to roads, a very good receiver."),
    "replay": _l(
        "Messages that were delivered again from a restored backup, a phone handed over with "
        "another person's account, days of a fixed place measured by Wi-Fi."
    ),
    "twin": _l(
        "A shared car or room with receivers of one kind, a phone kept for a colleague in need, "
        "one person with an old and a new phone."
    ),
    "clock": _l(
        "A time zone set by hand, a phone whose battery was empty for long, messages held back "
        "by the network."
    ),
    "cell_mismatch": _l(
        "A cell that was moved, a table of cells that is out of date, a portable base station."
    ),
}

REVIEWS: Final[Mapping[str, LazyString]] = {
    "pending": _l("Nobody looked yet"),
    "explained": _l("Explained"),
    "needs_talk": _l("Needs a talk"),
    "false_alarm": _l("False sign"),
    "note": _l("Note"),
    "answer": _l("Answer of the person"),
}

PROBLEMS: Final[Mapping[str, LazyString]] = {
    **findings.PROBLEMS,
    "already_reviewed": _l("Somebody else was faster: the sign bears this word already."),
    "finding_retracted": _l("Late data took this sign back meanwhile. There is nothing to judge."),
}
