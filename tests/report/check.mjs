// Opens every report in a headless browser, as a desktop, a phone and paper see it, and says what is
// wrong with it. Arguments: the directory that the example `report_pages` wrote, and one for pictures.
import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [pages, pictures] = process.argv.slice(2).map((path) => resolve(path));
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
await mkdir(pictures, { recursive: true });

// How many pictures a report must have at least.
const REPORTS = { half: 8, few: 8, comparison: 4, audit: 2 };
const SCREENS = [
  { name: "desktop", width: 1280, height: 800, isMobile: false },
  { name: "phone", width: 390, height: 844, isMobile: true },
];
// A long page on a busy machine takes minutes to print.
const PATIENCE = 900_000;
const faults = [];

// The sandbox needs privileges that a container may not give; the pages are our own.
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
  protocolTimeout: PATIENCE,
});

async function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const isScrolled = (element) => element.parentElement?.closest(".wide, .picture");
    const wide = [...document.body.querySelectorAll("*")].filter(
      (element) => element.getBoundingClientRect().right > width + 1 && !isScrolled(element),
    );
    return {
      by: document.documentElement.scrollWidth - width,
      elements: wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)),
    };
  });
}

async function check(report, screen, scheme) {
  const page = await browser.newPage();
  const where = `${report}, ${screen.name}, ${scheme}`;
  const fault = (what) => faults.push(`${where}: ${what}`);
  page.on("console", (message) => fault(`console says ${message.text()}`));
  page.on("pageerror", (error) => fault(`error ${error}`));
  const url = pathToFileURL(join(pages, report, "report.html")).href;
  page.on("request", (request) => {
    if (request.url() !== url) fault(`fetches ${request.url().slice(0, 120)}`);
  });
  await page.setViewport({ ...screen, deviceScaleFactor: 1 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url, { timeout: PATIENCE });

  const { by, elements } = await overflow(page);
  if (by > 0 || elements.length > 0) fault(`${by} pixels too wide: ${elements.join("\n")}`);
  const drawn = await page.$$eval("svg", (all) =>
    all.map((svg) => {
      const { width, height } = svg.getBoundingClientRect();
      return { width, height, name: svg.querySelector("title")?.textContent ?? "" };
    }),
  );
  if (drawn.length < REPORTS[report]) fault(`only ${drawn.length} pictures`);
  for (const { width, height, name } of drawn) {
    if (width < 200 || height < 100) fault(`picture ${name} is ${width} x ${height}`);
    if (!name) fault("a picture has no name");
  }
  const levels = await page.$$eval("h1, h2, h3", (all) => all.map((h) => Number(h.tagName[1])));
  if (levels[0] !== 1 || levels.some((level, n) => n > 0 && level > levels[n - 1] + 1)) {
    fault(`headings out of order: ${levels}`);
  }
  // What is folded must be as readable as the rest, and reachable with the keyboard.
  const folds = await page.$$("details");
  for (const fold of folds) {
    if (await fold.evaluate((element) => element.open)) fault("a fold is open from the start");
    await (await fold.$("summary")).focus();
    await page.keyboard.press("Enter");
    if (!(await fold.evaluate((element) => element.open))) fault("the keyboard opens no fold");
  }
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  for (const violation of found.violations) {
    const nodes = violation.nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`);
    fault(`${violation.id}: ${violation.help}\n  ${nodes.join("\n  ")}`);
  }
  const wide = await overflow(page);
  if (wide.by > 0) fault(`${wide.by} pixels too wide with open folds: ${wide.elements.join("\n")}`);
  await page.evaluate(() => window.scrollTo(0, 0));
  const path = join(pictures, `${report}-${screen.name}-${scheme}.png`);
  await page.screenshot({ path, fullPage: true });
  await page.close();
}

async function print(report) {
  const page = await browser.newPage();
  const fault = (what) => faults.push(`${report}, paper: ${what}`);
  // A4 without margins of 15 mm, at 96 pixels an inch.
  await page.setViewport({ width: 680, height: 1000 });
  await page.emulateMediaType("print");
  await page.goto(pathToFileURL(join(pages, report, "report.html")).href, { timeout: PATIENCE });
  // On paper nothing can be scrolled: not even what may be wide on a screen.
  const { by } = await overflow(page);
  if (by > 0) fault(`${by} pixels too wide`);
  const seen = await page.$$eval("details", (folds) =>
    folds.filter((fold) => {
      fold.open = true;
      return [...fold.children].slice(1).some((child) => child.getClientRects().length > 0);
    }),
  );
  if (seen.length > 0) fault("an open fold is printed");
  await page.pdf({
    path: join(pictures, `${report}.pdf`),
    timeout: PATIENCE,
    format: "A4",
    margin: { top: "15mm", bottom: "15mm", left: "15mm", right: "15mm" },
  });
  await page.close();
}

for (const report of Object.keys(REPORTS)) {
  for (const screen of SCREENS) {
    for (const scheme of ["light", "dark"]) await check(report, screen, scheme);
  }
  await print(report);
}
await browser.close();
for (const fault of faults) console.error(fault);
console.log(`${Object.keys(REPORTS).length} reports, ${faults.length} faults; pictures: ${pictures}`);
process.exit(faults.length === 0 ? 0 : 1);
