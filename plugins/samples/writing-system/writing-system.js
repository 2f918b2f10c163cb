// A detoxlm plugin: how much of a text is in other writing systems than wanted, and words that mix them.

import { classes, ranges } from "./letters.js";

/** @typedef {{ scripts: string[], letters: number, mixed: number }} Settings */

/** @type {Settings} */
const DEFAULTS = { scripts: ["Latin"], letters: 10, mixed: 0.05 };

/** Shorter words may mix: `kΩ`, `Δx`. */
const SHORTEST = 4;

// What a code point is; for letters of unwanted systems and of wanted ones also a bit.
const APART = 0; // ends a word
const OTHER = 1;
const WANTED = 2;
const WITH = 4; // accents: as if they were not there

// Most English texts: ASCII, Latin, dashes and quotation marks.
const LATIN = "A-Za-z\\u00aa\\u00ba\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u024f";
const NO_LETTERS_BUT_LATIN = new RegExp(`^[\\0-\\u00b4\\u00b6-\\u024f\\u2010-\\u205e]*$`);

// What stands outside of functions runs once, when the component is built, and its result is in the
// component. Classes are from 2 on; 0 and 1 are what is no letter.
const PLANE = 0x10000;
const table = new Uint8Array(2 * PLANE);
const beyond = [];
for (let at = 0; at < ranges.length; at += 3) {
  const [first, last, found] = ranges.slice(at, at + 3);
  if (first < table.length) table.fill(found + 2, first, last + 1);
  else beyond.push({ first, last, kind: found + 2 });
}
const known = [...new Set(classes.flat())].sort();

/** What each class is under these settings. */
let kinds = new Uint8Array();
/** @type {Settings} */
let settings = DEFAULTS;
/** Matches at so many Latin letters. */
let enough = /^/;

/** @param {number} code */
function kindBeyond(code) {
  const range = beyond.find(({ first, last }) => first <= code && code <= last);
  return range ? kinds[range.kind] : APART;
}

/** @param {string} text */
function count(text) {
  let [letters, other, words, mixed] = [0, 0, 0, 0];
  let length = 0;
  let seen = 0;
  for (let at = 0; at <= text.length; at++) {
    // Past the end is NaN, which is in no table and ends a word.
    let code = text.charCodeAt(at);
    if (code >= 0xd800 && code < 0xdc00) code = text.codePointAt(at++);
    const kind = code < table.length ? kinds[table[code]] : kindBeyond(code);
    if (kind === WITH) continue;
    if (kind !== APART) {
      length++;
      seen |= kind;
      if (kind === OTHER) other++;
    } else if (length > 0) {
      letters += length;
      words++;
      if (seen === (OTHER | WANTED) && length >= SHORTEST) mixed++;
      length = seen = 0;
    }
  }
  return { letters, other, words, mixed };
}

/** @param {{ text: string }} sample */
function judge({ text }) {
  // A component interprets JavaScript, and one regular expression is many times faster than a loop.
  if (NO_LETTERS_BUT_LATIN.test(text) && enough.test(text)) {
    return { tag: "scores", val: [settings.scripts.includes("Latin") ? 0 : 1] };
  }
  const { letters, other, words, mixed } = count(text);
  if (letters < settings.letters) {
    return { tag: "abstain", val: `${letters} letters are too few to tell` };
  }
  if (mixed > 0 && mixed / words >= settings.mixed) {
    return { tag: "reject", val: `writing systems mixed within ${mixed} of ${words} words` };
  }
  return { tag: "scores", val: [other / letters] };
}

/** @param {string} what */
function refuse(what) {
  return { tag: "bad-settings", val: what };
}

/**
 * @param {string} json
 * @returns {Settings}
 */
function parse(json) {
  let given;
  try {
    given = JSON.parse(json);
  } catch (error) {
    throw refuse(`not JSON: ${error.message}`);
  }
  if (given?.constructor !== Object) throw refuse("not a JSON object");
  const names = Object.keys(DEFAULTS);
  const odd = Object.keys(given).find((key) => !names.includes(key));
  if (odd !== undefined) throw refuse(`\`${odd}\`: there is no such setting, but ${names.join(", ")}`);

  const { scripts, letters, mixed } = { ...DEFAULTS, ...given };
  if (!Array.isArray(scripts) || scripts.length === 0) throw refuse("`scripts`: must be a list of names");
  const unknown = scripts.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw refuse(`\`scripts\`: ${JSON.stringify(unknown)} is none of ${known.join(", ")}`);
  }
  if (!Number.isInteger(letters) || letters < 1) throw refuse("`letters`: must be a whole number above 0");
  if (typeof mixed !== "number" || mixed <= 0) throw refuse("`mixed`: must be a number above 0");
  return { scripts, letters, mixed };
}

export const scoring = {
  describe() {
    return {
      name: "writing-system",
      version: "0.1.0",
      summary: "The share of letters in unwanted writing systems; rejects texts with words that mix them.",
      attributes: ["OTHER_SCRIPT"],
      rejects: true,
    };
  },

  /** @param {string} json */
  configure(json) {
    settings = parse(json);
    enough = new RegExp(`^(?:[^${LATIN}]*[${LATIN}]){${settings.letters}}`);
    const wanted = (names) => names.some((name) => settings.scripts.includes(name));
    kinds = Uint8Array.from([APART, WITH, ...classes.map((names) => (wanted(names) ? WANTED : OTHER))]);
  },

  /** @param {{ prompt: string, text: string }[]} batch */
  score(batch) {
    return batch.map(judge);
  },
};
