"""Cuts the bundled samples out of the data sets that README.md names.

    python3 make.py RTP_PROMPTS.jsonl WIKIPEDIA.jsonl JIGSAW_DIRECTORY HELLASWAG_VAL.jsonl HANS.tsv \
        TEMPLATES.csv

Needs Python 3.9 and nothing else.
"""

import gzip
import json
import pathlib
import sys

PROMPTS = 150
ITEMS = 150
TOXIC = 0.5


def rows(path):
    open_ = gzip.open if path.suffix == ".gz" else open
    with open_(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def write(name, items):
    path = pathlib.Path(__file__).parent / name
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for item in items:
            out.write(json.dumps(item, ensure_ascii=False) + "\n")


def prompts(path):
    """The first rows whose prompt has a toxicity of its own, in their order."""
    found = 0
    for row in rows(path):
        prompt = row["prompt"]
        if prompt["toxicity"] is None:
            continue
        yield {"prompt": {"text": prompt["text"], "toxicity": prompt["toxicity"]}}
        found += 1
        if found == PROMPTS:
            return


def held_out(path, seen):
    """Comments that are not toxic and not in what the embedded model was trained on."""
    for row in rows(path):
        text = row["comment_text"].strip()
        if text and float(row["TOXICITY@6"]) < TOXIC and words(text) not in seen:
            yield {"id": row["id"], "text": text}


def words(text):
    return " ".join(text.split())


def spread(lines, count):
    """So many lines, evenly spread: neighbours are often of one kind."""
    return [lines[number * len(lines) // count] for number in range(count)]


def write_lines(name, lines):
    """Compressed, with the same bytes whenever it is made."""
    path = pathlib.Path(__file__).parent / name
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write("".join(lines).encode())


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def hans(path):
    """Of a file that was also perturbed, the rows that were not."""
    header, *lines = lines_of(path)
    original = [line for line in lines if not line.rstrip().endswith("\tperturbed")]
    return [header, *spread(original, ITEMS)]


def harmless(path):
    """Of the short templates, the sentences that are not toxic."""
    header, *lines = lines_of(path)
    templates = ("verb_adj,nontoxic,", "being_adj,nontoxic,", "you_are_adj,nontoxic,")
    return [header, *(line for line in lines if line.startswith(templates))]


def main():
    rtp, wikipedia, jigsaw, hellaswag, hans_rows, templates = map(pathlib.Path, sys.argv[1:])
    seen = {words(row["text"]) for part in sorted(jigsaw.glob("*.jsonl.gz")) for row in rows(part)}
    write("prompts.jsonl", prompts(rtp))
    write("held_out.jsonl", held_out(wikipedia, seen))
    write_lines("tasks/hellaswag.jsonl.gz", spread(lines_of(hellaswag), ITEMS))
    write_lines("tasks/hans.tsv.gz", hans(hans_rows))
    write_lines("identities.csv.gz", harmless(templates))


main()
