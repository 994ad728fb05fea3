"""Column types shared by all slices: aware UTC instants, ids, string enums, points."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from uuid import UUID

import uuid6
from geoalchemy2 import Geometry
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator

E = TypeVar("E", bound=StrEnum)


class UtcDateTime(TypeDecorator[datetime]):
    """`timestamptz` that refuses naive values and always answers in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive datetime; convert an aware one to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "naive datetime given to a timestamptz column"
            raise ValueError(message)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Answer in UTC whatever the session's time zone is."""
        return None if value is None else value.astimezone(UTC)


class EnumText(TypeDecorator[E]):
    """A `StrEnum` stored by value in a text column."""

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[E]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: E | str | None, dialect: Dialect) -> str | None:
        """Refuse a value the enum does not have."""
        return None if value is None else self.enum(value).value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> E | None:
        """Answer with the enum's member."""
        return None if value is None else self.enum(value)


def new_id() -> UUID:
    """Return a fresh UUIDv7: unguessable enough for a URL, ordered by time for the index."""
    return UUID(bytes=uuid6.uuid7().bytes)


TenantId = Annotated[int, mapped_column(Integer, primary_key=True)]
Id = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=new_id)]
Ref = Annotated[UUID, mapped_column(Uuid)]
Instant = Annotated[datetime, mapped_column(UtcDateTime)]
CreatedAt = Annotated[datetime, mapped_column(UtcDateTime, server_default=func.now())]
BigInt = Annotated[int, mapped_column(BigInteger)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]


def point_column() -> Geometry:
    """Return the type of a WGS-84 point column; indexes are declared by the table itself."""
    return Geometry("POINT", srid=4326, spatial_index=False)
