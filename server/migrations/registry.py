"""Imports every slice's models, so that `Base.metadata` is complete."""

from server.audit import models as audit
from server.cells import models as cells
from server.db.base import Base
from server.findings import models as findings
from server.people import models as people
from server.posts import models as posts
from server.tracking import locate_models as locating
from server.tracking import models as tracking

__all__ = ["Base", "audit", "cells", "findings", "locating", "people", "posts", "tracking"]
