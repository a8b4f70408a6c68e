"""English sentences of everyday words, put together at random: what the voices of the synthetic phones say."""

import numpy as np

WORDS = {  # words that belong together are joined by _
    "noun": "apple army badge bath beach bird boat book bottle boy bridge brother butcher button cage candle captain "
    "carriage chair cheese child church cloud coat cook cousin daughter doctor dog donkey door dress drawer earth "
    "engine farmer father feather fire fish fog friend garage garden giant girl glove goose guitar hammer heart hill "
    "horse house island jacket jewel judge juice kitchen knife ladder lake lawyer leather letter lion machine market "
    "measure mirror money moon mother mouse neighbor noise nurse ocean onion orange oven owl oyster paper path peach "
    "pencil pepper piano picture pigeon pillow poem pond potato prince puzzle queen question rabbit river road rope "
    "sailor school shadow sheep shirt shoe singer sister snow soldier song spider spoon stone storm story summer "
    "sweater table teacher theater thief thunder tiger tooth tower toy tree trousers uncle valley village voice wagon "
    "watch water weather window winter witch wolf woman wood yard youth zebra zoo",
    "verb": "admired answered avoided began borrowed bought broke brought built called carried caught changed chased "
    "chose cleaned covered described destroyed dropped enjoyed examined fed followed forgot found gathered guarded "
    "heard helped hid judged joined kept knew lifted liked lost loved measured missed moved needed noticed opened "
    "ordered painted passed pulled pushed reached recorded refused remembered saw served shook showed sold stole "
    "studied surprised taught threw touched treasured visited wanted warned washed watched wished_for worried",
    "adjective": "ancient angry beige blue bored brave bright broken brown busy calm careful cheap clever cold cool "
    "dangerous dark dirty dry dusty early easy empty famous fat foolish fresh gentle golden good gray green happy "
    "healthy heavy huge hungry large lazy little lonely long loud lovely lucky narrow new noisy old pale pleasant "
    "poor pretty proud pure quick quiet rare red rich rough round royal sad sharp shiny short shy simple small smooth "
    "soft sour strange strong sweet tall thick thin tiny tired true ugly useful usual warm weak white wide wise yellow "
    "young",
    "where": "above across along around behind below beneath beside beyond by near over through toward under with "
    "without",
    "the": "the the a every this that my your our their his her another each",
    "how": "always never often quickly quietly rarely slowly usually carefully gladly hardly nearly suddenly",
    "when": "today yesterday again in_the_morning at_night before_noon last_year on_Thursday in_July after_lunch",
    "who": "he she they we you I it nobody everyone someone",
    "can": "could would should might must can did does may will",
    "go": "argue arrive bathe breathe choose cough crawl dance draw explore fall fight go hurry hide join laugh leave "
    "listen live march obey play pray read rest return ride run sing sleep smile speak stay swim talk think travel "
    "wait walk watch whisper work worry write",
}
TEMPLATES = (
    "the noun verb the noun",
    "the adjective noun verb the noun",
    "the noun verb the adjective noun",
    "who verb the noun where the noun",
    "the noun how verb the noun",
    "can who go where the noun",
    "who can how go where the noun",
    "the adjective noun can go when",
    "who verb the adjective noun when",
    "the noun where the noun can go",
)
CHOICES = {kind: [word.replace("_", " ") for word in words.split()] for kind, words in WORDS.items()}


def sentence(generator: np.random.Generator) -> str:
    """One sentence.

    >>> sentence(np.random.default_rng(0))
    'It lost every gentle boat today.'
    """
    template = TEMPLATES[generator.integers(len(TEMPLATES))]
    words = [CHOICES[kind][generator.integers(len(CHOICES[kind]))] for kind in template.split()]
    text = " ".join(words)
    return f"{text[0].upper()}{text[1:]}."
