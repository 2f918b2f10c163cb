"""Writes expected.json: what the published package says of the texts below.

    pip install vaderSentiment==3.3.2
    python make_expected.py                      # the texts below
    python make_expected.py FILE.jsonl           # prints {text, compound} for other texts' field `text`
"""

import json
import sys
from pathlib import Path

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

TEXTS = [
    "The book was good.",
    "The book was good!",
    "The book was good!!!!!",
    "The book was GOOD!!",
    "THE BOOK WAS GOOD.",
    "The book was good??",
    "The book was bad????",
    "The book was VERY good.",
    "The book was very very very good.",
    "The book was barely good.",
    "The book was only kind of good.",
    "It is, in a sort of way, good.",
    "It was really sort of nice of them.",
    "She was kind of them to ask.",
    "Of one kind",
    "The book was not good.",
    "At least it isn't a horrible book.",
    "It is the least good book.",
    "It is the very least good book.",
    "Least good",
    "It has never been good.",
    "It has never been so good!",
    "It has never been this good!",
    "Never so good and never this very nice",
    "Without a doubt, an excellent idea.",
    "Without doubt an excellent idea.",
    "Without an excellent idea",
    "No good came of it.",
    "There is no great, nice thing.",
    "no help or good and no help nor joy",
    "No.",
    "They said no",
    "no NO no",
    "The plot was good, but the characters are dull and the dialogue is not great.",
    "good good but bad bad good",
    "good but",
    "but good",
    "He is happy but she is sad but they are happy.",
    "Make sure you :) or :D today!",
    "Make sure you :-) or :( today",
    "Such as 💘 and 💋 and 😁",
    "so💋💋.",
    "👩‍👧 ☺️ love❤",
    "We waited at the bus stop for joy",
    "It is a dress to die for, yeah right",
    "With a beating heart and a kiss of death she won",
    "You would say yeah right to that friend",
    "He isn't, wasn't and never was a good friend",
    "I don't really think it is a nice idea.",
    "ISN'T it GREAT",
    "The weather report for Tuesday.",
    "!?",
    "a",
    "ÉTÉ est bon, GOOD",
    "tabs\tand\nlines\x1fand \u3000 spaces happy",
    "(good) [bad] \"nice\" 'ugly' *sad* -happy- _win_",
    "good.bad nice,ugly",
    "İ love it",
    "The mill stopped. Nobody was happy. " * 30,
]


def compounds(texts):
    analyzer = SentimentIntensityAnalyzer()
    return [{"text": text, "compound": analyzer.polarity_scores(text)["compound"]} for text in texts]


if len(sys.argv) > 1:
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").split("\n")
    for row in compounds([json.loads(line)["text"] for line in lines if line]):
        print(json.dumps(row))
else:
    text = json.dumps(compounds(TEXTS), indent=1, ensure_ascii=True)
    (Path(__file__).parent / "expected.json").write_text(text + "\n", encoding="utf-8")
