"""Writes expected.json: what the published formula says of the texts below, computed with numpy.

    pip install numpy==2.4.6
    python make_expected.py                      # the texts below
    python make_expected.py FILE.jsonl           # prints {text, toxicity} for other texts' field `text`

Independent of the crate: a count matrix over the whole vocabulary, stop words dropped first, as
scikit-learn's CountVectorizer and CalibratedClassifierCV do it.
"""

import gzip
import json
import re
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TEXTS = [
    "The weather is lovely today.",
    "What a stupid idea.",
    "You are a complete idiot and everybody knows it!",
    "YOU ARE A COMPLETE IDIOT AND EVERYBODY KNOWS IT!",
    "idiot",
    "idiot idiot idiot",
    "Shut up, you moron, nobody asked you.",
    "He said that it was a dumb thing to say, and I agree.",
    "I don't think that's what the article says; see the talk page.",
    "to be or not to be",
    "a",
    "!?",
    "zzyzx qwrtp",
    "of_course 2008 0px 1st x² ①bad",
    "José and JOSE\u0301 play Pokémon",
    "ΜΕΛΟΣ μελ ετητης İs",
    "竜龙 迷惑 ውይይት हिन्दी",
    "\u24b6idiot \U0001f469\u200d\U0001f467 idiot\u200didiot",
    "tabs\tand\nlines\r\nand \u3000 spaces idiot",
    "Nobody remembers who built the mill, or when the wheel stopped turning. " * 40,
    "What a silly, boring and utterly worthless book, said the nice old lady. " * 5,
]


def probabilities(texts):
    with gzip.open(HERE / "../data/profanity_check.json.gz") as file:
        weights = json.load(file)
    columns = {word: column for column, word in enumerate(weights["vocabulary"])}
    stop_words = set(weights["stop_words"])
    counts = np.zeros((len(texts), len(columns)))
    for row, text in enumerate(texts):
        for word in re.findall(r"(?u)\b\w\w+\b", text.lower()):
            if word not in stop_words and word in columns:
                counts[row, columns[word]] += 1
    folds = []
    for fold in weights["classifiers"]:
        decision = counts @ np.array(fold["coef"]) + fold["intercept"]
        folds.append(1 / (1 + np.exp(fold["platt_a"] * decision + fold["platt_b"])))
    return np.mean(folds, axis=0)


def rows(texts):
    return [
        {"text": text, "toxicity": round(float(value), 9)}
        for text, value in zip(texts, probabilities(texts))
    ]


if len(sys.argv) > 1:
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").split("\n")
    for row in rows([json.loads(line)["text"] for line in lines if line]):
        print(json.dumps(row))
else:
    text = json.dumps(rows(TEXTS), indent=1, ensure_ascii=True)
    (HERE / "expected.json").write_text(text + "\n", encoding="utf-8")
