"""Writes words.txt and coefficients.bin from the published weights as JSON.

    python make_data.py profanity_check.json.gz      # backends/profanity-check/data has it

words.txt: the vocabulary, a word a line. coefficients.bin: for each word its five coefficients, in
millionths, each three bytes, little-endian, two's complement: what the JSON has, to the digit.
Prints each machine's intercept and the two numbers of its Platt scaling, for src/scale.rs.
"""

import gzip
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
with gzip.open(sys.argv[1]) as file:
    weights = json.load(file)
machines = weights["classifiers"]
coefficients = bytearray()
for of_word in zip(*(machine["coef"] for machine in machines), strict=True):
    for coefficient in of_word:
        millionths = round(coefficient * 1e6)
        assert millionths / 1e6 == coefficient
        coefficients += millionths.to_bytes(3, "little", signed=True)
(HERE / "words.txt").write_text("\n".join(weights["vocabulary"]) + "\n", encoding="utf-8")
(HERE / "coefficients.bin").write_bytes(coefficients)
for machine in machines:
    print(machine["intercept"], machine["platt_a"], machine["platt_b"])
