"""Words of the pages of alerts; those of evidence are in `web.cards.words`."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from web.findings import words as findings

KINDS: Mapping[str, LazyString] = {"off_post": _l("Off post"), "gap": _l("No position")}

REVIEWS: Mapping[str, LazyString] = {
    "acknowledge": _l("Acknowledged"),
    "false_alarm": _l("False alarm"),
    "note": _l("Note"),
}

PROBLEMS: Mapping[str, LazyString] = {
    **findings.PROBLEMS,
    "already_reviewed": _l("Somebody else was faster: the alert bears this verdict already."),
    "finding_retracted": _l("Late data disproved this alert meanwhile. There is nothing to judge."),
    "none_chosen": _l("Choose at least one alert."),
    "too_many": _l("At most 200 alerts can be acknowledged at once."),
}
