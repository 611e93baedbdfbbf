"""Noun phrases for facts, each in several wordings."""

import random

from ubg.synthpedes.visible import Facts

COLOUR_WORDS = {
    "gray": ("gray", "grey"),
    "dark blue": ("dark blue", "navy blue", "navy"),
    "light blue": ("light blue", "pale blue", "sky blue"),
    "beige": ("beige", "tan", "cream colored"),
    "white": ("white", "white", "white colored"),
    "black": ("black", "black", "black colored"),
    "purple": ("purple", "violet"),
}
NOUNS = {
    "t-shirt": ("t-shirt", "tee shirt", "T-shirt"),
    "polo shirt": ("polo shirt", "polo"),
    "shirt": ("shirt", "collared shirt", "dress shirt"),
    "sweater": ("sweater", "pullover", "jumper"),
    "hoodie": ("hoodie", "hooded sweatshirt", "hooded top"),
    "jacket": ("jacket", "short jacket"),
    "puffer jacket": ("puffer jacket", "padded jacket", "quilted jacket"),
    "suit jacket": ("suit jacket", "blazer"),
    "coat": ("long coat", "coat", "knee-length coat"),
    "vest": ("vest", "padded vest", "sleeveless jacket"),
    "tank top": ("tank top", "sleeveless top", "sleeveless shirt"),
    "dress": ("dress", "short dress"),
    "top": ("top", "upper garment"),
    "jeans": ("jeans", "denim pants", "denim jeans"),
    "trousers": ("pants", "trousers", "long pants"),
    "sweatpants": ("sweatpants", "track pants", "jogging pants"),
    "leggings": ("leggings", "tight pants", "tights"),
    "shorts": ("shorts", "short pants"),
    "skirt": ("skirt", "skirt"),
    "long skirt": ("long skirt", "ankle-length skirt"),
    "bottoms": ("bottoms",),
    "sneakers": ("sneakers", "trainers", "sports shoes", "tennis shoes", "shoes"),
    "leather shoes": ("leather shoes", "dress shoes", "shoes"),
    "boots": ("boots", "tall boots"),
    "sandals": ("sandals", "open shoes"),
    "shoes": ("shoes",),
    "cap": ("cap", "baseball cap"),
    "beanie": ("beanie", "knit cap", "knitted hat"),
    "brimmed hat": ("brimmed hat", "hat with a brim", "sun hat"),
    "backpack": ("backpack", "rucksack", "bag on the back"),
    "shoulder bag": ("shoulder bag", "messenger bag", "bag at the hip"),
    "handbag": ("handbag", "purse", "hand bag"),
    "suitcase": ("suitcase", "rolling suitcase", "luggage case"),
    "phone": ("a cell phone", "a phone", "a mobile phone"),
    "umbrella": ("a closed umbrella", "a folded umbrella", "an umbrella"),
    "bottle": ("a water bottle", "a bottle"),
    "cup": ("a cup", "a paper cup", "a coffee cup"),
    "folder": ("a folder", "some papers", "documents"),
    "glasses": ("glasses", "eyeglasses", "spectacles"),
    "sunglasses": ("sunglasses", "dark sunglasses"),
}
PLURAL = ("jeans", "trousers", "sweatpants", "leggings", "shorts", "bottoms")


def article(phrase: str) -> str:
    """The phrase with "a" or "an"."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def colour(name: str, rng: random.Random) -> str:
    """A word for a colour."""
    return rng.choice(COLOUR_WORDS.get(name, (name,)))


def noun(name: str, rng: random.Random) -> str:
    """A word for a thing."""
    return rng.choice(NOUNS[name])


def person(facts: Facts, rng: random.Random, plain: bool = False) -> str:
    """The subject without its article, such as "young woman" or "pedestrian"."""
    words = []
    if facts.age in ("young", "elderly") and not plain and rng.random() < 0.55:
        words.append({"young": ("young",), "elderly": ("elderly", "old")}[facts.age][0])
    if facts.build in ("slim", "heavy") and not plain and rng.random() < 0.25:
        words.append(
            rng.choice({"slim": ("slim", "thin"), "heavy": ("heavy", "stocky")}[facts.build])
        )
    names = {"man": ("man", "man", "male", "guy"), "woman": ("woman", "woman", "lady", "female")}
    words.append(rng.choice(names[facts.sex] if facts.sex else ("person", "pedestrian")))
    return " ".join(words)


def upper(facts: Facts, rng: random.Random, detail: float = 0.85) -> str:
    """The upper garment; `detail` is the chance of each of its details."""
    assert facts.upper is not None
    assert facts.upper_colour is not None
    thing = noun(facts.upper, rng)
    if facts.sleeves and rng.random() < 0.4 * detail:
        thing = f"{facts.sleeves}{rng.choice(('-sleeved', ' sleeved', ' sleeve'))} {thing}"
    shade = colour(facts.upper_colour, rng)
    phrase = f"{shade} {thing}"
    if facts.pattern and rng.random() < detail:
        phrase = _patterned(facts, rng, shade, thing)
    extras = []
    if facts.inner_colour and rng.random() < detail:
        under = colour(facts.inner_colour, rng)
        if facts.open:
            phrase = rng.choice(("open ", "unzipped ", "")) + phrase if facts.zip else phrase
            extras.append(f"over {article(under + ' ' + rng.choice(('shirt', 'top')))}")
        else:
            extras.append(
                f"over {article(under + ' ' + rng.choice(('top', 'long-sleeved shirt')))}"
            )
    elif facts.zip and rng.random() < 0.3:
        extras.append(rng.choice(("with a zipper", "with a zip in front")))
    elif facts.buttons and rng.random() < 0.3:
        extras.append(rng.choice(("with buttons", "with buttons down the front")))
    elif facts.hood and facts.upper != "hoodie":
        extras.append("with a hood")
    return article(" ".join([phrase, *extras]))


def _patterned(facts: Facts, rng: random.Random, shade: str, thing: str) -> str:
    assert facts.second_colour is not None
    second = colour(facts.second_colour, rng)
    forms = {
        "horizontal stripes": (
            f"{shade} and {second} striped {thing}",
            f"{shade} {thing} with {second} horizontal stripes",
            f"{shade} {thing} with {second} stripes across",
        ),
        "vertical stripes": (
            f"{shade} {thing} with {second} vertical stripes",
            f"{shade} {thing} with thin {second} vertical lines",
        ),
        "checks": (
            f"{shade} and {second} checkered {thing}",
            f"{shade} {thing} with {second} checks",
            f"{shade} and {second} plaid {thing}",
        ),
        "dots": (
            f"{shade} {thing} with {second} dots",
            f"{shade} {thing} with {second} polka dots",
        ),
        "print": (
            f"{shade} {thing} with a {second} print",
            f"{shade} {thing} with a {second} logo",
            f"{shade} {thing} with a {second} design on the chest",
        ),
    }
    return rng.choice(forms[facts.pattern or ""])


def lower(facts: Facts, rng: random.Random) -> str:
    """The lower garment."""
    assert facts.lower is not None
    assert facts.lower_colour is not None
    phrase = f"{colour(facts.lower_colour, rng)} {noun(facts.lower, rng)}"
    if facts.stripe and rng.random() < 0.7:
        phrase += rng.choice((" with a stripe down the side", " with side stripes"))
    if facts.lower in PLURAL:
        return rng.choice((phrase, phrase, f"a pair of {phrase}"))
    return article(phrase)


def shoes(facts: Facts, rng: random.Random) -> str:
    """What is on the feet."""
    assert facts.shoes is not None
    assert facts.shoes_colour is not None
    phrase = f"{colour(facts.shoes_colour, rng)} {noun(facts.shoes, rng)}"
    return rng.choice((phrase, phrase, f"a pair of {phrase}"))


def hat(facts: Facts, rng: random.Random) -> str:
    """What is on the head."""
    assert facts.hat is not None
    assert facts.hat_colour is not None
    return article(f"{colour(facts.hat_colour, rng)} {noun(facts.hat, rng)}")


def hair(facts: Facts, rng: random.Random) -> str | None:
    """Style and colour of the hair, or what of them can be seen."""
    shade = facts.hair_colour
    if shade == "blond":
        shade = rng.choice(("blond", "blonde"))
    elif shade == "gray":
        shade = rng.choice(("gray", "grey"))
    if facts.hair == "bald":
        return rng.choice(("a bald head", "no hair"))
    if facts.hair in ("ponytail", "bun"):
        tied = rng.choice((f"a {facts.hair}", f"hair tied in a {facts.hair}"))
        if not shade:
            return tied
        return rng.choice((f"{shade} hair in a {facts.hair}", article(f"{shade} {facts.hair}")))
    words = [word for word in (facts.hair, shade) if word]
    return " ".join([*words, "hair"]) if words else None


def bag(facts: Facts, rng: random.Random) -> str:
    """The bag, or the straps of the one on the back."""
    assert facts.bag is not None
    assert facts.bag_colour is not None
    shade = colour(facts.bag_colour, rng)
    if facts.bag == "backpack straps":
        return rng.choice((f"a backpack with {shade} straps", article(f"{shade} backpack")))
    return article(f"{shade} {noun(facts.bag, rng)}")
