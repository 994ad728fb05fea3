"""Page and JSON of the live map."""

from flask import Blueprint

blueprint = Blueprint("live", __name__, template_folder="templates")
