"""Writes lexicon.json.gz: the word lists of VADER, as the published package holds them.

    pip install vaderSentiment==3.3.2
    python make_lexicon.py

The package reads a text character by character, so of its pictures those of one character alone ever
count; the others are left out here.
"""

import gzip
import json
from pathlib import Path

from vaderSentiment import vaderSentiment as vader

analyzer = vader.SentimentIntensityAnalyzer()
lists = {
    "valences": analyzer.lexicon,
    "pictures": {key: value for key, value in analyzer.emojis.items() if len(key) == 1},
    "degrees": vader.BOOSTER_DICT,
    "negations": sorted(vader.NEGATE),
    "phrases": vader.SPECIAL_CASES,
}
text = json.dumps(lists, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
# Without a time, so that the file is the same every time.
packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
(Path(__file__).parent / "lexicon.json.gz").write_bytes(packed)
