"""Phone classes of TIMIT: the 61 that are transcribed, and the 48 and 39 that Lee and Hon made of them.

Source: K.-F. Lee and H.-W. Hon, Speaker-independent phone recognition using hidden Markov models, IEEE Transactions on
Acoustics, Speech, and Signal Processing 37(11), 1989, table I. They leave out the glottal stop q where phones are
recognised one after the other; every frame needs a class, so here it is silence, as in the e-prop release.
"""

from lsnn_rl.errors import unknown_name

_TO_48 = {  # where the name changes
    "ax-h": "ax", "axr": "er", "em": "m", "eng": "ng", "hv": "hh", "nx": "n", "ux": "uw",
    "bcl": "vcl", "dcl": "vcl", "gcl": "vcl", "pcl": "cl", "tcl": "cl", "kcl": "cl",
    "h#": "sil", "pau": "sil", "q": "sil",
}  # fmt: skip
_TO_39 = {
    "ao": "aa", "ax": "ah", "el": "l", "en": "n", "ix": "ih", "zh": "sh", "cl": "sil", "vcl": "sil", "epi": "sil",
}  # fmt: skip

_PHONES = """
    aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix iy jh k kcl l
    m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh
"""
PHONES = tuple(_PHONES.split())
SIZES = (61, 48, 39)


def fold(phone: str, classes: int) -> str:
    """The class of a transcribed phone among 61, 48 or 39.

    Raises: UnknownName for a symbol that TIMIT does not use, or a number of classes that nobody made.

    >>> [fold("bcl", classes) for classes in (61, 48, 39)]
    ['bcl', 'vcl', 'sil']
    """
    if phone not in PHONES:
        raise unknown_name("phone of TIMIT", phone, PHONES)
    if classes not in SIZES:
        raise unknown_name("set of phone classes", classes, [str(size) for size in SIZES])
    if classes == 61:
        return phone
    middle = _TO_48.get(phone, phone)
    return middle if classes == 48 else _TO_39.get(middle, middle)


def classes_of(classes: int) -> tuple[str, ...]:
    """The names of the classes, in alphabetical order, which is the order of readouts.

    >>> len(classes_of(48)), classes_of(39)[:4]
    (48, ('aa', 'ae', 'ah', 'aw'))
    """
    return tuple(sorted({fold(phone, classes) for phone in PHONES}))
