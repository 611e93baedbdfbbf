"""Retrieval metrics over all queries, in percent."""

from ubg.retrieval.pairs import Array
from ubg.retrieval.ranking import Ranking, bidirectional_ranks, relevant_ranks


def retrieval_metrics(
    query_features: Array, gallery_features: Array, query_pids: Array, gallery_pids: Array
) -> dict[str, float]:
    """R@1, R@5, R@10, mAP and mINP of ranking the gallery by cosine similarity.

    AP is taken over all relevant items; ties go to the lower gallery index.

    Args:
        query_features: [Q, D], rows of any length.
        gallery_features: [G, D], rows of any length.
        query_pids: [Q], integers.
        gallery_pids: [G], integers; a query's relevant items are those of its identity.

    Returns:
        `{"r1", "r5", "r10", "map", "minp"}`, percent, over all Q queries.

    Raises:
        ValueError: shapes that do not fit, values that are masked, no dense array or no numbers, a
            feature that is not finite, or a query without a relevant item.
    """
    return summarise(relevant_ranks(query_features, gallery_features, query_pids, gallery_pids))


def bidirectional_metrics(
    text_features: Array, image_features: Array, text_pids: Array, image_pids: Array
) -> dict[str, dict[str, float]]:
    """Return `retrieval_metrics` of both directions, `{"t2i": .., "i2t": ..}`, from one product.

    Image to text is over the images that have a text; the others are distractors.

    Args:
        text_features: [T, D], rows of any length.
        image_features: [I, D], rows of any length.
        text_pids: [T], integers.
        image_pids: [I], integers.

    Raises:
        ValueError: as `retrieval_metrics`, with the texts as queries.
    """
    text_to_image, image_to_text = bidirectional_ranks(
        text_features, image_features, text_pids, image_pids
    )
    return {"t2i": summarise(text_to_image), "i2t": summarise(image_to_text)}


def summarise(ranking: Ranking) -> dict[str, float]:
    """Reduce a ranking to `{"r1", "r5", "r10", "map", "minp"}`, percent.

    mINP is the mean over the queries of relevant items / rank of the last one (Ye et al., "Deep
    Learning for Person Re-identification: A Survey and Outlook", arXiv 2001.04193).
    """
    cmc = ranking.cmc(10)
    return {
        "r1": float(cmc[0]),
        "r5": float(cmc[4]),
        "r10": float(cmc[9]),
        "map": 100 * float(ranking.average_precision.mean()),
        "minp": 100 * float(ranking.inverse_negative_penalty.mean()),
    }
