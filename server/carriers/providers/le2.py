"""Chinese carriers that speak the LE 2.0.0 dialect in GB2312."""

from server.carriers.codec import le2 as codec
from server.carriers.codec.mlp import Located
from server.carriers.providers import Line, Refused
from server.carriers.providers.mlp import Entries, ask_of, exchange
from server.carriers.rules import RefusalCode


class Le2:
    """Asks one phone at a time."""

    def locate(self, line: Line, *, msisdn: str) -> Located | Refused:
        """Ask where a phone is; see `LocatesPhones`."""

        def read(body: bytes, content_type: str) -> Entries:
            return codec.read_answer(body, content_type=content_type, utc_off=line.options.utc_off)

        body = codec.write_slir(ask_of(line, msisdn))
        if isinstance(body, codec.NotInGb2312):
            return Refused(RefusalCode.NOT_UNDERSTOOD, f"GB2312 cannot carry {body.name}")
        return exchange(line, body, "text/xml; charset=GB2312", msisdn=msisdn, read=read)
