"""A gallery and the model that it was made with: queries in, images out."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.calibration import Calibration
from ubg.search.calibration import USUAL, find_calibration
from ubg.search.engines.contract import MAX_FOUND, SPARE, Index
from ubg.search.filters import Filter
from ubg.search.gallery import Entry, Gallery
from ubg.search.query import Encoded, Query, shown_kind
from ubg.search.topk import Scored, best_of, exact_top

MAX_DEPTH = 10_000  # ranks that can be paged to
MAX_TOP = 1000


@dataclass(frozen=True)
class Page:
    """Which ranks are wanted: `top` of them behind the first `offset`.

    Raises:
        ValueError: out of range.
    """

    top: int = 20
    offset: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.top <= MAX_TOP:
            raise ValueError(f"top: {self.top}; give 1 to {MAX_TOP:,} results")
        if not 0 <= self.offset <= MAX_DEPTH - self.top:
            raise ValueError(f"offset: {self.offset}; ranks up to {MAX_DEPTH:,} can be seen")


@dataclass(frozen=True)
class Result:
    """An image that was found.

    Attributes:
        rank: from 1.
        id: of the image.
        score: cosine, plus the second score where both are asked for.
        share_without_person: of validation queries whose person was not in the gallery, the share
            with a best score as high, 0 to 1; None where that is not known.
        entry: what is known of the image.
    """

    rank: int
    id: int
    score: float
    share_without_person: float | None
    entry: Entry


@dataclass(frozen=True)
class Results:
    """Those of one query and page.

    Attributes:
        results: best first.
        total: images that pass the filter, duplicates folded.
        nobody_fits: whether the best score of all is one that is usual without the person; None
            where that is not known, or nothing passes the filter.
    """

    results: list[Result]
    total: int
    nobody_fits: bool | None


class Searcher:
    """Searches one snapshot of a gallery; many threads may use it at once."""

    def __init__(
        self,
        gallery: Gallery,
        model_folder: str | Path | None = None,
        both_scores: bool = False,
        device: str | None = None,
    ) -> None:
        """Load the model that the gallery was made with.

        Args:
            gallery: to search.
            model_folder: of the model; by default where it was when the gallery was made.
            both_scores: rank by the sum of both scores.
            device: a torch device; by default a GPU where there is one.

        Raises:
            ValueError: it is another model, or the gallery keeps no codes for a second score.
        """
        import ubg

        self._folder = folder = Path(model_folder or gallery.manifest.model)
        gallery.manifest.require(folder, both_scores)
        self.gallery, self.both_scores = gallery, both_scores
        self.model = ubg.load(folder, device, both_scores)
        gallery.manifest.require_sizes(self.model, both_scores)
        self.calibration = self._find_calibration(gallery)

        self._engine: Index | None = None
        self._newest = 0

    def use(self, engine: Index) -> None:
        """Rank the cosine by what an engine finds, and exactly among what it does not have yet."""
        self._engine, self._newest = engine, engine.newest()

    @property
    def is_exact(self) -> bool:
        """Whether no engine is in use."""
        return self._engine is None

    def reopened(self) -> "Searcher":
        """The same model on the gallery as it is now, without an engine, which knows one state."""
        other = copy(self)
        other._engine = None
        other.gallery = gallery = Gallery.open(self.gallery.path)
        gallery.manifest.require_sizes(self.model, self.both_scores)
        other.calibration = self._find_calibration(gallery)
        return other

    def _find_calibration(self, gallery: Gallery) -> Calibration | None:
        return find_calibration(gallery.path, gallery.manifest, self._folder, self.both_scores)

    def encode(self, queries: Sequence[Query]) -> Encoded:
        """Queries as vectors, in one pass for all their texts and one for all their images.

        Raises:
            ValueError: an image cannot be read, an id is not of the gallery, the model does not
                know a kind of drawing, or the parts of a query cancel each other out.
        """
        plain = [() if query.drawings else query.texts for query in queries]
        texts = [text for some in plain for text, _ in some]
        images = [image for query in queries for image in query.images]
        text_TD = self.model.encode_text(texts).cpu().numpy()
        image_ID = self.model.encode_image(images).cpu().numpy()
        evidence_TLV = None
        if self.both_scores:
            evidence_TLV = self.model.caption_evidence(texts).cpu().numpy()
        vectors, evidences = [], []
        for query, own_texts in zip(queries, plain, strict=True):
            weights_T = np.array([weight for _, weight in own_texts], np.float32)
            own, text_TD = text_TD[: len(weights_T)], text_TD[len(weights_T) :]
            shown, image_ID = image_ID[: len(query.images)], image_ID[len(query.images) :]
            if evidence_TLV is not None:
                said, evidence_TLV = evidence_TLV[: len(own)], evidence_TLV[len(own) :]
                evidences.append(_weighted_mean(said, weights_T))
            if query.drawings:
                own, weights_T = self._with_drawings(query), np.ones(1, np.float32)
            parts_PD = np.concatenate([own, shown, self.gallery.vectors(query.like)])
            ones = np.ones(len(parts_PD) - len(own), np.float32)
            vectors.append(_weighted_sum(parts_PD, np.concatenate([weights_T, ones])))
        return Encoded(
            vectors_QD=np.stack(vectors),
            evidence_QLV=np.stack(evidences) if evidences else None,
            one_text_Q=tuple(query.is_one_text for query in queries),
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of the pictures that a query may have: photographs, and the drawings the model reads."""
        # Systems that are asked by text alone do not say how other pictures are normalised.
        return ("image", *getattr(self.model.model, "normalisations", {}))

    def _with_drawings(self, query: Query) -> NDArray[np.float32]:
        """The text and the drawings of a query as the model reads them together, [1, D]."""
        for kind, _ in query.drawings:
            if kind not in self.kinds[1:]:
                taken = ", ".join(map(shown_kind, ("text", *self.kinds)))
                raise ValueError(f"the model takes no {shown_kind(kind)}; it takes {taken}")
        parts: dict[str, Any] = {kind: [image] for kind, image in query.drawings}
        if query.texts:
            parts["text"] = [query.texts[0][0]]
        return np.asarray(self.model.encode_query(parts).cpu().numpy())

    def search(
        self, encoded: Encoded, page: Page | None = None, filter: Filter | None = None
    ) -> list[Results]:
        """One page of the results of each query, best first, ties to the lower id.

        Exact; with an engine, as exact as that one is. Does not depend on the other queries.

        Args:
            encoded: by `encode`, of this gallery.
            page: which ranks; by default the first.
            filter: what an image must have to be found.

        Raises:
            ValueError: the gallery is damaged, or was made anew meanwhile.
        """
        page = page or Page()
        allowed_N = self.gallery.allowed_rows(filter)
        depth, total = page.offset + page.top, int(np.count_nonzero(allowed_N))
        if self._engine is None or encoded.evidence_QLV is not None:
            found = exact_top(
                self._rows(), encoded.vectors_QD, encoded.evidence_QLV, allowed_N, depth
            )
        else:
            found = self._by_engine(self._engine, encoded.vectors_QD, allowed_N, depth)
        return [
            self._results(rows, scores, page, total, one_text)
            for (rows, scores), one_text in zip(found, encoded.one_text_Q, strict=True)
        ]

    def _rows(self) -> Scored:
        snapshot = self.gallery.snapshot
        return Scored(snapshot.vectors_ND, snapshot.codes_NL)

    def _by_engine(
        self,
        engine: Index,
        vectors_QD: NDArray[np.float32],
        allowed_N: NDArray[np.bool_],
        depth: int,
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """What the engine finds, scored and ordered as everywhere, and what it does not know."""
        snapshot = self.gallery.snapshot
        behind = int(np.searchsorted(snapshot.ids_N, self._newest, "right"))
        later_N = allowed_N.copy()
        later_N[:behind] = False
        later = exact_top(self._rows(), vectors_QD, None, later_N, depth)
        return [
            best_of(
                self._rows(),
                np.union1d(rows, later_rows),
                vector_D,
                None,
                depth,
            )
            for rows, (later_rows, _), vector_D in zip(
                self._found_rows(engine, vectors_QD, allowed_N, depth + SPARE),
                later,
                vectors_QD,
                strict=True,
            )
        ]

    def _found_rows(
        self,
        engine: Index,
        vectors_QD: NDArray[np.float32],
        allowed_N: NDArray[np.bool_],
        wanted: int,
    ) -> list[NDArray[np.int64]]:
        """The rows of what an engine finds, `wanted` or all that it has.

        Without a filter it is asked for more until enough is left without duplicates and what is
        gone, as a list of all others would travel to a server with each query.
        """
        snapshot, top = self.gallery.snapshot, wanted
        while allowed_N is self.gallery.unfiltered_N and top <= MAX_FOUND:
            found = [ids for ids, _ in engine.search(vectors_QD, top)]
            rows_Q = [rows[allowed_N[rows]] for rows in map(snapshot.rows_of, found)]
            if all(
                len(rows) >= wanted or len(ids) < top
                for ids, rows in zip(found, rows_Q, strict=True)
            ):
                return rows_Q
            top = MAX_FOUND if top < MAX_FOUND < 4 * top else 4 * top
        found = [ids for ids, _ in engine.search(vectors_QD, wanted, snapshot.ids_N[allowed_N])]
        return [snapshot.rows_of(ids) for ids in found]

    def _results(
        self,
        rows: NDArray[np.int64],
        scores: NDArray[np.float64],
        page: Page,
        total: int,
        one_text: bool,
    ) -> Results:
        calibration = self.calibration if one_text else None
        ids = self.gallery.snapshot.ids_N[rows[page.offset :]]
        results = []
        for place, entry in enumerate(self.gallery.entries(ids)):
            score = float(scores[page.offset + place])
            share = None if calibration is None else calibration.share(score, self.both_scores)
            results.append(Result(page.offset + place + 1, entry.id, score, share, entry))
        nobody_fits = None
        if calibration is not None and len(scores):
            nobody_fits = calibration.share(float(scores[0]), self.both_scores) > USUAL
        return Results(results, total, nobody_fits)


def _weighted_sum(
    parts_PD: NDArray[np.float32], weights_P: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The unit vector in the direction of the sum; one part alone stays as it is, bit by bit."""
    if len(parts_PD) == 1 and weights_P[0] > 0:
        return parts_PD[0]
    sum_D = weights_P @ parts_PD
    length = np.linalg.norm(sum_D)
    if length < 1e-3:
        raise ValueError("the parts of the query cancel each other out; change a weight")
    return np.asarray(sum_D / length, np.float32)


def _weighted_mean(
    evidence_TLV: NDArray[np.float32], weights_T: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What several texts say of the codes; nothing where there is no text."""
    if len(weights_T) == 0:
        return np.zeros(evidence_TLV.shape[1:], np.float32)
    shares_T = weights_T / np.abs(weights_T).sum()
    return np.asarray(np.tensordot(shares_T, evidence_TLV, 1), np.float32)
