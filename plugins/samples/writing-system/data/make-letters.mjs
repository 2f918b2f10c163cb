// Writes letters.js: which code points are letters, and of which writing systems, by the Unicode tables in
// Node's regular expressions. The engine in a component has no `\p{...}`, so it gets a table.
//
//     node data/make-letters.mjs > letters.js

// Those in everyday use (UAX #31, table 5), and Cherokee and Coptic for their look-alikes of Latin.
const NAMES = `
  Arabic Armenian Bengali Bopomofo Cherokee Coptic Cyrillic Devanagari Ethiopic Georgian Greek Gujarati
  Gurmukhi Han Hangul Hebrew Hiragana Kannada Katakana Khmer Lao Latin Malayalam Myanmar Oriya Sinhala
  Tamil Telugu Thaana Thai Tibetan
`.trim().split(/\s+/);

const systems = NAMES.map((name) => [name, new RegExp(`\\p{Script_Extensions=${name}}`, "u")]);
// A class is the writing systems that a letter is used in; the first is none of the above: `𝐀`.
const classes = [[]];
const ranges = [];

for (let code = 0; code <= 0x10ffff; code++) {
  const text = String.fromCodePoint(code);
  let found;
  if (/\p{Alphabetic}/u.test(text)) {
    const names = systems.filter(([, pattern]) => pattern.test(text)).map(([name]) => name);
    found = classes.findIndex((others) => others.join() === names.join());
    if (found < 0) found = classes.push(names) - 1;
  } else if (/[\p{M}\u00ad\u200b-\u200d\u2060]/u.test(text)) {
    found = -1; // accents, and what is not seen
  } else {
    continue;
  }
  const last = ranges.at(-1);
  if (last?.[1] === code - 1 && last[2] === found) last[1] = code;
  else ranges.push([code, code, found]);
}

console.log(`// Made by data/make-letters.mjs from Unicode ${process.versions.unicode}.`);
console.log("export const classes = [");
for (const names of classes) console.log(`  ${JSON.stringify(names)},`);
console.log("];");
console.log("// First, last, class; -1 is what a letter may have with it.");
console.log("export const ranges = [");
for (let at = 0; at < ranges.length; at += 8) {
  console.log(`  ${ranges.slice(at, at + 8).flat().join(",")},`);
}
console.log("];");
