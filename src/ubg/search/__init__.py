"""Search: a folder of pictures, a sentence, the right person.

What others build on, the HTTP server among them (each name is in the module that stands before it):

    gallery.Gallery.open(path) -> Gallery         a reader; ValueError where there is no gallery
        a context manager; may be used by many threads at once; a snapshot: what a writer does later
        is not seen until `changed()` is true and the gallery is opened again
        .path: Path  .manifest: Manifest (.model: str, .fingerprint, .dimension, .codes | None)
        .count: int                               images that can be found
        .has_codes: bool                          indexed with both scores
        .entry(id) -> Entry  .entries(ids) -> list[Entry]       ValueError for an unknown id
        .faults() -> list[tuple[str, str]]        path and reason of what could not be indexed
        .open_image(id) -> PIL.Image.Image        upright, RGB; ValueError where the file is gone,
                                                  is a link, or is no image any more
        .changed() -> bool                        whether a writer has committed since
        .facets() -> Facets                       .cameras, .tags, .folders, each sorted, for menus
    gallery.Entry(id, path, folder, width, height, modified, hash, captured_at, tags, camera,
                  duplicates)
        path: below the folder, with "/"; folder: absolute; modified: seconds since the epoch;
        hash: SHA-256; captured_at: "2024-05-01T12:30:00" or None; tags: tuple; camera: str or None;
        duplicates: folder/path of the other images of the same bytes

    query.Query(texts=(("a red coat", 1.0), ("a hat", -0.5)), images=(PIL.Image, ..), like=(id, ..),
                drawings=(("sk", PIL.Image), ..))
        `like` are images of the gallery ("more like this"), with weight 1, as `images` have;
        `drawings`, of `Searcher.kinds`, are read together with the text where the model does so;
        ValueError where it is empty, too long (MAX_TEXT_LENGTH, MAX_PARTS), or its weights are 0
        Query.parse(sentence) -> Query            one text; a ` + ` or ` - ` between blanks starts
                                                  the next one, "2 * a red coat" has a weight
    filters.Filter(cameras, tags, folders, path, captured_from, captured_to, min_height)
        Filter.parse(["camera=3", "tag=night", "path=cam1/*", "from=2024-05-01"]) -> Filter

    searcher.Searcher(gallery, model_folder=None, both_scores=False, device=None)
        loads the model that the gallery was indexed with; ValueError where it is another one
        .gallery: Gallery  .both_scores: bool  .calibration: Calibration | None
        .encode(queries: list[Query]) -> Encoded  [Q] queries together; Encoded[i] is one of them
        .search(encoded, page=Page(top=20, offset=0), filter=None) -> list[Results]
            one per query; exact; the same whatever else is searched at the same time
    searcher.Results(results, total, nobody_fits)
        total: images that pass the filter, duplicates folded; nobody_fits: None where nothing
        was found or there is no calibration
    searcher.Result(rank, id, score, share_without_person, entry)
        share_without_person: of validation queries whose person was not in the gallery, the share
        with a best score as high; 0 to 1; None without calibration, or where the query is not one
        text
    .reopened() -> Searcher                       the same model, the gallery as it is now
    output.as_record(result) -> dict              as JSON has it

`ubg index`, `ubg search` and the other commands are in `command`, which `pyproject.toml` names.
"""
