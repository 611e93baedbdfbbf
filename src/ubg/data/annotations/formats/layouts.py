"""Finding out which of a format's file layouts a folder has."""

from collections.abc import Iterable
from pathlib import Path

Layout = tuple[str, ...]


def find_layout(folder: Path, layouts: Iterable[Layout]) -> Layout:
    """The only one of the layouts with files in `folder`; all of its files are there.

    Raises:
        ValueError: there is none, or several, or a file of it is missing.
    """
    layouts = tuple(layouts)
    try:
        present = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise ValueError(
            f"{folder}: cannot be read: {error.strerror}; put the annotations there"
        ) from None
    found = [layout for layout in layouts if present.intersection(layout)]
    if not found:
        accepted = " or ".join(" + ".join(layout) for layout in layouts)
        raise ValueError(f"{folder}: has no annotations; put {accepted} there")
    if len(found) > 1:
        names = [next(name for name in layout if name in present) for layout in found]
        raise ValueError(
            f"{folder}: {' and '.join(names)} are two sources of the same annotations; "
            "leave one of them there"
        )
    for name in found[0]:
        if name not in present:
            others = " and ".join(other for other in found[0] if other in present)
            raise ValueError(f"{folder / name}: is missing beside {others}; put it there")
    return found[0]
