"""Make the text tokenizer."""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Write `models/tokenizer`."""
    from ubg.data.prepared import PREPARED, load_prepared
    from ubg.data.text.tokenizers import (
        TOKENIZER,
        describe_tokenizer,
        load_tokenizer,
        refuse_unknown,
    )
    from ubg.data.text.unigram import fit_tokenizer
    from ubg.params import load_params
    from ubg.runtime.files import replace_folder, write_json

    params = load_params().preset.tokenizer
    table = load_prepared(PREPARED)
    captions = table.loc[table["split"] == "train", "caption"].tolist()
    with replace_folder(TOKENIZER) as folder:
        if params.pretrained is None:
            assert params.vocab_size is not None
            tokenizer = fit_tokenizer(captions, params.vocab_size, folder)
        else:
            tokenizer = load_tokenizer(params.pretrained)
            tokenizer.save_pretrained(folder)
        facts = describe_tokenizer(tokenizer, captions)
        refuse_unknown(facts["unknown_percent"] / 100, params.max_unknown)
        write_json(folder / "report.json", facts)
    print(
        f"{TOKENIZER}: {facts['vocabulary']} pieces, {facts['tokens_per_caption']} tokens per "
        f"caption, {facts['unknown_percent']} % unknown"
    )


if __name__ == "__main__":
    run_stage(
        "Train the tokenizer on the training captions, or take the pretrained one that params "
        "name, into models/tokenizer.",
        main,
    )
