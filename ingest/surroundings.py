"""What decoders say was heard around a phone, as the records that are stored."""

import msgspec

from geo.fix import QualityFlag
from ingest.wire import RadioScan, WireFix
from server.tracking.records import RadioRecord, Via

_NO_TST = int(QualityFlag.NO_TST)


def radio_record(
    decoded: WireFix | RadioScan, device_no: int, received_s: float, via: Via, *, with_fix: bool
) -> RadioRecord:
    """Return what was heard at a fix, which keeps the message, or without a position.

    Parameters
    ----------
    with_fix : whether the fix goes into the same batch.
    """
    has_fix = isinstance(decoded, WireFix)
    return RadioRecord(
        device_no=device_no,
        fixed_s=decoded.fixed_s,
        key=decoded.key,
        received_s=received_s,
        cells=msgspec.to_builtins(decoded.cells),
        wifi=msgspec.to_builtins(decoded.wifi),
        via=via,
        has_fix=has_fix,
        with_fix=with_fix,
        dropped=decoded.dropped,
        sent_s=decoded.sent_s,
        battery_pct=decoded.battery_pct,
        charging=decoded.charging,
        flags=decoded.flags,
        untimed=bool(decoded.flags & _NO_TST),
        raw=None if has_fix else decoded.raw,
    )
