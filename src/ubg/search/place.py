"""Where a gallery is: in a folder, or with its vectors on a Milvus server.

A server has ids and vectors. What is known of the images, and the vectors that results are scored
by, lie in a folder of this machine, in the place where programs keep data of their user's (XDG Base
Directory Specification).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ubg.search.manifest import MANIFEST

_ADDRESS = re.compile(
    r"(https?)://([a-z0-9.-]+):(\d{1,5})(?:/([a-z0-9_-]{1,64})?)?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Place:
    """Attributes:
    folder: of the gallery.
    server: address of the server; None where the folder is all.
    name: of the gallery, where it is not the only one of this user on the server.
    """

    folder: Path
    server: str | None
    name: str | None = None

    @classmethod
    def parse(cls, name: str) -> "Place":
        """A path, or an address such as "http://host:19530" or "http://host:19530/NAME".

        Raises:
            ValueError: it begins as an address, and is none.
        """
        if "://" not in name:
            return cls(Path(name), None)
        match = _ADDRESS.fullmatch(name)
        if match is None:
            raise ValueError(
                f"{name}: is no address of a server; give one as http://host:19530 or "
                "http://host:19530/NAME, NAME of up to 64 letters, digits, _ and -"
            )
        scheme, host, port, own = match.groups()
        data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
        parts = (host.lower(), str(int(port)), own)  # a host has no "_", so no two are the same
        folder = data / "ubg" / "_".join(part for part in parts if part)
        return cls(folder, f"{scheme.lower()}://{host.lower()}:{int(port)}", own)

    def require(self) -> None:
        """Check that a gallery was made there, as far as an address alone does not say.

        Raises:
            ValueError: this machine has none of that server.
        """
        if self.server and not (self.folder / MANIFEST).exists():
            address = f"{self.server}/{self.name}" if self.name else self.server
            raise ValueError(
                f"{address}: this machine has no gallery there; make one with `ubg index "
                f"FOLDER --model MODEL --gallery {address}`"
            )
