"""What doors share that look for the one message a batch cannot be stored with."""

import msgspec
import orjson
from sqlalchemy.exc import SQLAlchemyError

from ingest.intake import Message
from ingest.wire.owntracks import MAX_BATCH

FAULTS = (SQLAlchemyError, ArithmeticError, LookupError, TypeError, ValueError)
"""Faults of ours that one message triggers; the others must be stored in spite of it."""


def members(message: Message) -> list[Message]:
    """Return the messages in an array as messages of their own; itself when it is none.

    For a batch that cannot be stored: one bad member must not take the others with it.
    """
    try:
        value = orjson.loads(message.payload) if message.payload[:1] in b" \t\r\n[" else None
    except orjson.JSONDecodeError:
        return [message]
    if not isinstance(value, list) or len(value) < 2 or len(value) > MAX_BATCH:
        return [message]
    return [
        msgspec.structs.replace(message, payload=orjson.dumps(item), is_live=False)
        for item in value
    ]
