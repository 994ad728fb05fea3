"""What an employee sees of their own data: the same as those who lead them, and who looked."""

from web.me.views import blueprint

__all__ = ["blueprint"]
