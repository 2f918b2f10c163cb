// The cases, without WebAssembly.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { scoring } from "./writing-system.js";

for (const line of readFileSync("cases.jsonl", "utf8").trim().split("\n")) {
  const { text, settings = {}, scores, reject, abstain, bad_settings } = JSON.parse(line);
  test(line, () => {
    const configure = () => scoring.configure(JSON.stringify(settings));
    if (bad_settings !== undefined) {
      assert.throws(configure, { tag: "bad-settings", val: bad_settings });
      return;
    }
    configure();
    const [{ tag, val }] = scoring.score([{ prompt: "", text }]);
    if (scores === undefined) assert.deepEqual({ [tag]: val }, reject ? { reject } : { abstain });
    else assert.ok(Math.abs(val[0] - scores.OTHER_SCRIPT) < 1e-6, `${tag}: ${val}`);
  });
}

test("settings are a JSON object", () => {
  for (const settings of ["", "[]", "null", '"text"', "{"]) {
    assert.throws(() => scoring.configure(settings), { tag: "bad-settings" }, settings);
  }
});
