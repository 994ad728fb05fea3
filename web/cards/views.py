"""Where the card's templates are found; the pages that show cards have the routes."""

from flask import Blueprint

blueprint = Blueprint("cards", __name__, template_folder="templates")
