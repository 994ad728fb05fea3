"""Imports every slice's models, so that `Base.metadata` is complete."""

from server.audit import models as audit
from server.carriers import models as carriers
from server.cells import models as cells
from server.claims import models as claims
from server.db.base import Base
from server.findings import models as findings
from server.imports import models as imports
from server.people import models as people
from server.posts import models as posts
from server.sites import models as sites
from server.tracking import distribution_models as distribution
from server.tracking import locate_models as locating
from server.tracking import models as tracking
from server.tracking import radio_models as radio
from server.tracking import signs_models as signs
from server.tracking import what_if_models as what_if
from server.visits import models as visits

__all__ = [
    "Base",
    "audit",
    "carriers",
    "cells",
    "claims",
    "distribution",
    "findings",
    "imports",
    "locating",
    "people",
    "posts",
    "radio",
    "signs",
    "sites",
    "tracking",
    "visits",
    "what_if",
]
