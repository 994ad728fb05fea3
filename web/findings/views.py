"""Where the templates of findings are found; the screens that show findings have the routes."""

from flask import Blueprint

blueprint = Blueprint("findings", __name__, template_folder="templates")
