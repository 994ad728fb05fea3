"""What doors share that look for the one message a batch cannot be stored with."""

import msgspec
import orjson
from sqlalchemy.exc import SQLAlchemyError

from ingest.intake import Message
from ingest.topics import parse_topic
from ingest.wire import Rejection
from ingest.wire.formats import BY_ROOT
from ingest.wire.overland import MAX_LOCATIONS

FAULTS = (SQLAlchemyError, ArithmeticError, LookupError, TypeError, ValueError)
"""Faults of ours that one message triggers; the others must be stored in spite of it."""


MAX_PARTS = MAX_LOCATIONS
"""More than any decoder takes from one message."""


def members(message: Message) -> list[Message]:
    """Return the messages in an array as messages of their own; itself when it is none.

    For a batch that cannot be stored: one bad member must not take the others with it.
    """
    topic = parse_topic(message.topic)
    split = None if isinstance(topic, Rejection) else BY_ROOT[topic.root].members
    if split is None:
        return [message]
    try:
        parts = split(message.payload)
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return [message]
    if not 1 < len(parts) <= MAX_PARTS:
        return [message]
    return [msgspec.structs.replace(message, payload=part, is_live=False) for part in parts]
