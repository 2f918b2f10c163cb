"""Writes look-alikes.txt: for each Latin letter, the characters that are read as it.

    python make_look_alikes.py

What Unicode's compatibility decomposition makes one Latin letter (accents, full width, mathematical,
circled), and by hand what it does not: strokes, and letters of other scripts that look the same.
"""

import unicodedata
from pathlib import Path

BY_HAND = {
    "a": "аɑαΑА", "b": "вВβΒЬь", "c": "сСϲᴄ¢", "d": "ԁđĐɗ", "e": "еЕεΕєЄɛ", "f": "ƒғ", "g": "ɡɢ", "h": "нНһҺħĦΗ",
    "i": "іІιΙıɩӏ¡", "j": "јЈϳ", "k": "кКκΚ", "l": "łŁʟⅼӏӀ", "m": "мМΜ", "n": "ηпΝ", "o": "оОοΟøØσ", "p": "рРρΡ",
    "q": "ԛ", "r": "гяʀ", "s": "ѕЅʂ§", "t": "тТτΤŧŦ", "u": "υцμ", "v": "νѵ", "w": "ωшԝ", "x": "хХχΧ×", "y": "уУγΥ¥",
    "z": "ʐΖ",
}  # fmt: skip
BOXED = {chr(first + letter): chr(97 + letter) for first in (0x1F150, 0x1F170) for letter in range(26)}


def letter(character):
    parts = unicodedata.normalize("NFKD", character)
    letters = "".join(part for part in parts if not unicodedata.combining(part)).lower()
    return letters if len(letters) == 1 and "a" <= letters <= "z" else None


looks = dict(BOXED)
for code in range(0x80, 0x20000):
    if found := letter(chr(code)):
        looks[chr(code)] = found
for found, characters in BY_HAND.items():
    looks.update(dict.fromkeys(characters, found))
lines = [
    found + "".join(sorted(character for character in looks if looks[character] == found))
    for found in sorted(set(looks.values()))
]
Path(__file__).with_name("look-alikes.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
