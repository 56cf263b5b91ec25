// A prediction is made first; then its answer opens, and what waits for it below. What a reader
// answered stays in this browser, under one key, and is shown on the last page.
const KEY = "dqn-course-predictions";

function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || {};
  } catch {
    return {}; // no storage, or nothing that was written here
  }
}

function save(pages) {
  try {
    localStorage.setItem(KEY, JSON.stringify(pages));
  } catch {
    // the answer is forgotten with the page
  }
}

const page = location.pathname.split("/").pop().replace(/\.html$/, "");
const forms = [...document.querySelectorAll("form.prediction")];

function keep(form, entry) {
  const pages = load();
  const answers = { ...pages[page]?.answers, [form.id]: entry };
  const title = document.querySelector("h1").cloneNode(true);
  title.querySelectorAll(".headerlink").forEach((link) => link.remove());
  pages[page] = { title: title.textContent.trim(), total: forms.length, answers };
  save(pages);
}

// Groups: predictions in a row in one section, and all that waits for them.
const groups = [];
const follows = (form, { forms, waiting }) =>
  !waiting.length && forms.at(-1)?.closest("section") === form.closest("section");
for (const node of document.querySelectorAll("form.prediction, .tag_answer, .admonition.answer")) {
  const form = node.matches("form");
  if (!groups.length || (form && !follows(node, groups.at(-1)))) {
    groups.push({ forms: [], waiting: [] });
  }
  groups.at(-1)[form ? "forms" : "waiting"].push(node);
}

function openWhatWaits() {
  for (const { forms, waiting } of groups) {
    if (forms.every((form) => form.classList.contains("open"))) {
      waiting.forEach((node) => node.classList.add("open"));
    }
  }
}

// The number in what was typed: "300 steps", "1,000", "0,5", "\u2212200"; NaN without one.
function numberOf(text) {
  const plain = text
    .replaceAll("\u2212", "-")
    .replace(/\b[1-9]\d{0,2}([,\s]\d{3})+(?![\d,])/g, (found) => found.replace(/[,\s]/g, ""))
    .replace(/(\d),(\d)/g, "$1.$2");
  const [found] = plain.match(/(-\s?)?\.?\d[\d.]*(e[+-]?\d+)?/i) || [""];
  return parseFloat(found.replace(/\s/g, ""));
}

function isRight(form, guess) {
  const [low, high = low] = form.dataset.right.split(" ").map(Number);
  return low <= numberOf(guess) && numberOf(guess) <= high;
}

// `entry` is what was answered and whether it was right; null where only the answer was wanted.
function open(form, entry) {
  const result = form.querySelector(".prediction-result");
  form.classList.add("open");
  form.querySelector("button").hidden = true;
  form.querySelectorAll("input").forEach((input) => (input.disabled = true));
  result.textContent = entry?.right == null ? "" : entry.right ? "Right." : "Not so.";
  openWhatWaits();
  window.dispatchEvent(new Event("resize")); // the theme lets keys reach what scrolls
}

function fill(form, guess) {
  for (const input of form.querySelectorAll("input")) {
    if (input.type === "radio") input.checked = input.value === guess;
    else input.value = guess;
  }
}

const guessOf = (form) => new FormData(form).get(form.id)?.trim() || "";

for (const form of forms) {
  const button = form.querySelector("button");
  const label = () => {
    button.textContent = guessOf(form) ? "Compare with the answer" : "Show the answer";
  };
  const compare = () => {
    const guess = guessOf(form);
    if (!guess) return open(form, null);
    if (Number.isNaN(numberOf(guess))) {
      form.querySelector(".prediction-result").textContent = "Type a number.";
      return;
    }
    const entry = { guess, right: isRight(form, guess) };
    keep(form, entry);
    open(form, entry);
  };
  button.hidden = false;
  button.addEventListener("click", compare);
  form.addEventListener("input", label);
  // Enter compares; nothing is sent anywhere.
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input") && guessOf(form)) {
      event.preventDefault();
      compare();
      form.querySelector(".prediction-answer").focus(); // nothing where it is closed
    }
  });
  form.querySelector(".prediction-answer").tabIndex = -1;
  const before = load()[page]?.answers?.[form.id];
  if (before) {
    fill(form, before.guess);
    open(form, before);
  }
}
openWhatWaits(); // what waits for nothing

// A link to something that waits opens it.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target?.closest(".tag_answer:not(.open), .admonition.answer:not(.open)");
  if (!closed) return;
  closed.classList.add("open");
  target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();

// The score

function cell(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

function show(place) {
  const inOrder = (a, b) => a.title.localeCompare(b.title, "en", { numeric: true });
  const pages = Object.values(load()).sort(inOrder);
  if (!pages.length) {
    place.replaceChildren(cell("p", "This browser holds no predictions of yours yet."));
    return;
  }
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  ["Chapter", "Right", "Predicted", "Questions"].forEach((text) => head.append(cell("th", text)));
  const body = table.createTBody();
  const sums = [0, 0, 0];
  for (const { title, total, answers } of pages) {
    const given = Object.values(answers);
    const counts = [given.filter((answer) => answer.right).length, given.length, total];
    counts.forEach((count, i) => (sums[i] += count));
    body.insertRow().append(...[title, ...counts].map((text) => cell("td", text)));
  }
  table.className = "table";
  const forget = cell("button", "Forget my predictions");
  forget.type = "button";
  forget.addEventListener("click", () => {
    localStorage.removeItem(KEY);
    show(place);
  });
  const words = `${sums[0]} of your ${sums[1]} predictions were right.`;
  place.replaceChildren(cell("p", words), table, forget);
}
const score = document.querySelector(".prediction-score");
if (score) show(score);
