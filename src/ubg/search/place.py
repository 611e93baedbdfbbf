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

_ADDRESS = re.compile(r"(https?)://([a-z0-9.-]+):(\d{1,5})/?", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Attributes:
    folder: of the gallery.
    server: address of the server; None where the folder is all.
    """

    folder: Path
    server: str | None

    @classmethod
    def parse(cls, name: str) -> "Place":
        """A path, or an address such as "http://host:19530".

        Raises:
            ValueError: it begins as an address, and is none.
        """
        if "://" not in name:
            return cls(Path(name), None)
        match = _ADDRESS.fullmatch(name)
        if match is None:
            raise ValueError(f"{name}: is no address of a server; give one as http://host:19530")
        scheme, host, port = match.groups()
        data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
        folder = data / "ubg" / f"{host.lower()}_{int(port)}"
        return cls(folder, f"{scheme.lower()}://{host.lower()}:{int(port)}")

    def require(self) -> None:
        """Check that a gallery was made there, as far as an address alone does not say.

        Raises:
            ValueError: this machine has none of that server.
        """
        if self.server and not (self.folder / MANIFEST).exists():
            raise ValueError(
                f"{self.server}: this machine has no gallery there; make one with `ubg index "
                f"FOLDER --model MODEL --gallery {self.server}`"
            )
