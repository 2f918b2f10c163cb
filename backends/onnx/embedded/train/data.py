"""The labelled texts, each source on a scale of its own.

A source is one way of judging: Perspective as it was in 2020, Perspective as it was in 2024, the
annotators of Jigsaw's challenge, and so on. Their values are never mixed: `model.py` gives each
source its own map from the classifier's scale, which is Perspective's of 2020.
"""

import csv
import gzip
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

ATTRIBUTES = [
    "toxicity",
    "severe_toxicity",
    "identity_attack",
    "insult",
    "profanity",
    "threat",
    "sexually_explicit",
]

# Each source and the weight of one of its texts in the loss. The first is the shipped scale.
SOURCES = {
    "perspective_2020": 6.0,
    "perspective_rescored": 1.5,
    "perspective_gpt3": 1.0,
    "jigsaw": 1.0,
    "civil": 1.0,
    "spans": 0.3,
    "edos": 0.3,
    "davidson": 0.3,
    "paradetox": 0.3,
}

JIGSAW_LABELS = {
    "toxic": "toxicity",
    "severe_toxic": "severe_toxicity",
    "identity_hate": "identity_attack",
    "insult": "insult",
    "obscene": "profanity",
    "threat": "threat",
}


@dataclass(frozen=True)
class Example:
    """A text and what one source says of it; an attribute that is not there was not judged."""

    text: str
    source: str
    targets: dict[str, float]


def json_lines(path: Path) -> list[dict]:
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as lines:
        return [json.loads(line) for line in lines]


def table(path: Path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows, delimiter="\t" if path.suffix == ".tsv" else ","))


def key(text: str) -> str:
    """What makes two texts the same: white space and case do not count."""
    return " ".join(text.lower().split())


def perspective(data: Path) -> list[Example]:
    examples = []
    for row in json_lines(data / "rtp/perspective_scored.jsonl.gz"):
        examples.append(Example(row["text"], f"perspective_{row['version']}", row["scores"]))
    for row in json_lines(data / "perspective/gpt3_toxic_texts.jsonl"):
        prompt = row["prompt"]
        examples.append(Example(prompt["text"], "perspective_gpt3", prompt["score"]))
    return examples


def jigsaw(data: Path) -> list[Example]:
    examples = []
    for row in json_lines(data / "jigsaw/train.jsonl.gz"):
        targets = {ours: float(row[theirs]) for theirs, ours in JIGSAW_LABELS.items()}
        examples.append(Example(row["text"], "jigsaw", targets))
    # Sentences of Wikipedia articles that name identities, made as a counterweight to this set's
    # comments, where the same words are mostly abuse.
    for row in table(data / "toxicity/conversationai_toxicity_debiasing_data.tsv"):
        if row["split"] == "train":
            examples.append(Example(row["comment"], "jigsaw", dict.fromkeys(JIGSAW_LABELS.values(), 0.0)))
    return examples


def civil_comments(data: Path) -> list[Example]:
    examples = [
        Example(row["comment_text"], "civil", {"toxicity": float(row["toxic"])})
        for row in table(data / "toxicity/civil_demo_sample_2k.csv")
    ]
    says_toxic = defaultdict(list)
    for row in table(data / "toxicity/toxic_spans_annotations.csv"):
        says_toxic[row["comment_id"]].append(row["not toxic"] == "False")
    for row in table(data / "toxicity/toxic_spans_comments.csv"):
        votes = says_toxic[row["comment_id"]]
        if votes:
            share = sum(votes) / len(votes)
            examples.append(Example(row["comment_text"], "spans", {"toxicity": share}))
    return examples


def social_media(data: Path) -> list[Example]:
    examples = []
    for row in table(data / "toxicity/edos_labelled_aggregated.csv"):
        if row["split"] == "train":
            sexist = float(row["label_sexist"] == "sexist")
            threat = float(row["label_category"].startswith("1."))
            examples.append(Example(row["text"], "edos", {"identity_attack": sexist, "threat": threat}))
    for row in table(data / "toxicity/davidson_labeled_data.csv"):
        votes = int(row["count"])
        hate, neither = int(row["hate_speech"]) / votes, int(row["neither"]) / votes
        targets = {"toxicity": 1 - neither, "identity_attack": hate}
        examples.append(Example(row["tweet"], "davidson", targets))
    return examples


def paraphrases(data: Path) -> list[Example]:
    examples = []
    for row in table(data / "toxicity/paradetox.tsv"):
        examples.append(Example(row["toxic"], "paradetox", {"toxicity": 1.0}))
        examples.append(Example(row["neutral1"], "paradetox", {"toxicity": 0.0}))
    return examples


def held_out(data: Path) -> set[str]:
    """The keys of every text that the model card's figures are measured on."""
    texts = []
    for name in ("prompts", "challenging"):
        for row in json_lines(data / f"rtp/{name}.jsonl"):
            prompt, continuation = row["prompt"]["text"], row["continuation"]["text"]
            texts += [prompt, continuation, prompt + continuation]
    for name in ("dev", "test"):
        texts += [row["text"] for row in json_lines(data / f"jigsaw/{name}.jsonl.gz")]
    texts += [row["comment_text"] for row in json_lines(data / "perspective/wikipedia.jsonl")]
    texts += [row["test_case"] for row in table(data / "toxicity/hatecheck_test_suite_cases.csv")]
    texts += [row["phrase"] for row in table(data / "toxicity/conversationai_en_sentence_templates.csv")]
    return {key(text) for text in texts}


def labelled(data: Path) -> list[Example]:
    """Everything there is to learn from, without held-out texts and without doubles of a source."""
    readers = (perspective, jigsaw, civil_comments, social_media, paraphrases)
    seen, examples, dropped = set(), [], Counter()
    kept_out = held_out(data)
    for example in (example for reader in readers for example in reader(data)):
        identity = (example.source, key(example.text))
        targets = {a: v for a in ATTRIBUTES if (v := example.targets.get(a)) is not None}
        if not identity[1] or not targets:
            dropped["empty"] += 1
        elif identity[1] in kept_out:
            dropped["held out"] += 1
        elif identity in seen:
            dropped["double"] += 1
        else:
            seen.add(identity)
            examples.append(Example(example.text, example.source, targets))
    counts = Counter(example.source for example in examples)
    print(f"texts: {dict(counts)}; dropped: {dict(dropped)}", flush=True)
    return examples


def unlabelled(data: Path) -> list[str]:
    """Posts for the token vectors."""
    posts = json_lines(data / "text/reddit_selfposts.jsonl.gz")
    return [f"{post['title']}\n{post['text']}" for post in posts]
