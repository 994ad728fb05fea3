"""Devices: health, what became of their messages, enrolment by QR code, revocation."""

from web.devices import bulk, datums
from web.devices.views import blueprint

__all__ = ["blueprint", "bulk", "datums"]
