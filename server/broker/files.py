"""Replace a file that the broker reads, in one step.

The broker may reload at any moment; it must find the old file or the new one, never half
of one. The mode lets the group of the folder read it, because the broker runs under
another account than the process that writes.
"""

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, text: str, *, mode: int = 0o640) -> bool:
    """Write a file atomically when its content changed.

    Parameters
    ----------
    path : file in an existing folder; that folder's group is inherited when it is set-group-id.
    text : whole content, stored as UTF-8.
    mode : permission bits.

    Returns
    -------
    True when the file was written, False when it already had this content.

    Raises
    ------
    OSError : the folder is missing or not writable; the old file is then untouched.
    """
    data = text.encode()
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fchmod(handle.fileno(), mode)
            os.fsync(handle.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True
