"""Write the broker files of the production container: ``python -m server.broker FOLDER``."""

import sys
from pathlib import Path

from server.broker.config import (
    production_config,
    render_config,
    render_device_acl,
    render_service_acl,
)
from server.broker.files import replace_file


def write_files(folder: Path) -> list[str]:
    """Write configuration and access rules of the production broker.

    Parameters
    ----------
    folder : existing folder, ``server/deploy/mosquitto`` in the checkout.

    Returns
    -------
    Names of the files that changed.
    """
    texts = {
        "mosquitto.conf": render_config(production_config()),
        "devices.acl": render_device_acl(),
        "services.acl": render_service_acl(),
    }
    return [name for name, text in texts.items() if replace_file(folder / name, text, mode=0o644)]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m server.broker FOLDER")
    print("changed:", ", ".join(write_files(Path(sys.argv[1]))) or "nothing")
