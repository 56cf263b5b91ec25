// Opens every page of a built site in Firefox, and in it every prediction; makes each experiment,
// uses its controls until one is answered, and sees that all equations are set: `make firefox`.
// Chromium has the tests; this looks for what only Firefox refuses.
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import puppeteer from "puppeteer-core";

const [site, firefox] = process.argv.slice(2);
const folder = resolve(site, "book");
const pages = readdirSync(folder).filter((name) => name.endsWith(".html")).sort();
if (!pages.length) throw new Error(`no pages in ${folder}`);

const browser = await puppeteer.launch({ browser: "firefox", executablePath: firefox });
let faults = 0;
for (const name of pages) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (said) => said.type() === "error" && complaints.push(said.text()));
  await page.goto(pathToFileURL(join(folder, name)).href, { waitUntil: "load" });
  await page.$$eval("form.prediction button", (all) => all.forEach((button) => button.click()));
  const experiments = await page.$$(".rl-experiment");
  for (const experiment of experiments) {
    try {
      await drive(page, experiment);
    } catch (error) {
      complaints.push(error.message);
    }
  }
  const equations = await unset(page);
  if (equations) complaints.push(`${equations} equations are not set`);
  const verdict = complaints.length ? complaints.join("; ") : "fine";
  console.log(`${name.padEnd(28)} ${experiments.length} experiments  ${verdict}`);
  faults += complaints.length > 0;
  await page.close();
}
await browser.close();
console.log(faults ? `${faults} pages with faults` : `${pages.length} pages, no fault`);
process.exit(faults ? 1 : 0);

/** Scroll to an experiment, see that it is made, and use its controls until one is answered. */
async function drive(page, experiment) {
  await experiment.evaluate((place) => place.scrollIntoView());
  await page.waitForFunction((place) => place.querySelector(".rl-status"), {}, experiment);
  await page.waitForFunction(looksDrawn, {}, experiment);
  if (await experiment.evaluate((place) => /"autoplay": true/.test(place.dataset.inputs))) return;
  const controls = await experiment.$$("button:not([disabled]), input[type=range]");
  const before = await atRest(page, experiment);
  for (const control of controls) {
    await control.evaluate((found) => {
      if (found.type === "range") found.value = found.max;
      found.dispatchEvent(new Event("input", { bubbles: true }));
      found.click();
    });
    await page.evaluate(() => new Promise((done) => setTimeout(done, 1000)));
    if ((await experiment.evaluate(look)) !== before) return;
  }
  throw new Error(controls.length ? `no answer to ${controls.length} controls` : "no controls");
}

/** What an experiment shows once it has come to rest: nothing moves before it is asked to. */
async function atRest(page, experiment) {
  let before = null;
  for (let tries = 0; tries < 10; tries += 1) {
    const now = await experiment.evaluate(look);
    if (now === before) return now;
    before = now;
    await page.evaluate(() => new Promise((done) => setTimeout(done, 1000)));
  }
  throw new Error("moves without being touched");
}

/** All that an experiment shows, as one string. */
function look(place) {
  const canvases = [...place.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL());
  return [place.textContent, place.innerHTML.length, ...canvases].join("\n");
}

/** Whether a canvas, if there is one, holds more than one colour. */
function looksDrawn(place) {
  const canvas = place.querySelector("canvas");
  if (!canvas) return true;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(data.buffer);
  return pixels.some((pixel) => pixel !== pixels[0]);
}

/** The equations of a page that MathJax has not set. */
async function unset(page) {
  const all = await page.$$(".math");
  if (!all.length) return 0;
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight)); // now they are set
  const left = () => [...document.querySelectorAll(".math")].filter(
    (equation) => !equation.querySelector("mjx-container")).length;
  await page.waitForFunction(`(${left})() === 0`).catch(() => {});
  return page.evaluate(left);
}
