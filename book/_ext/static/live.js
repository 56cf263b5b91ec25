// Live code: the cells of this page become editors, and a Jupyter kernel runs them.
// Nothing is fetched before a reader asks. live.py writes the settings beside this script.

const liveScript = document.currentScript;
let liveCode = null; // { notebook, session } of Thebe once a kernel is there

function liveBar() {
  const bar = document.createElement("div");
  bar.className = "live-bar";
  bar.innerHTML = `
    <p role="status"></p>
    <button type="button" data-live-do="all">Run all</button>
    <button type="button" data-live-do="restart">Restart</button>`;
  for (const button of bar.querySelectorAll("button")) {
    button.setAttribute("aria-disabled", "true");
    button.addEventListener("click", () => liveDo(button.dataset.liveDo));
  }
  document.body.append(bar);
  document.body.classList.add("live-page"); // room for the bar at its end
  return bar;
}

// The region is on the page before its words are, or else they are not read out.
function liveSay(text) {
  const bar = document.querySelector(".live-bar") ?? liveBar();
  requestAnimationFrame(() => (bar.querySelector("[role=status]").textContent = text));
}

// A button that is disabled loses the focus: it stays, and does nothing.
function liveReady(isReady) {
  for (const button of document.querySelectorAll(".live-bar button, .live-here")) {
    button.setAttribute("aria-disabled", String(!isReady));
  }
}

function liveDo(name, id) {
  const waits = document.querySelector(".live-bar button").getAttribute("aria-disabled") === "true";
  if (!waits) liveActions[name](id);
}

async function liveRun(work, doing, done = "Done. Change a number and run again.") {
  liveReady(false);
  liveSay(doing);
  try {
    const results = await work();
    const failed = [results].flat().some((result) => result?.error);
    liveSay(failed ? "A cell raised an error: see below it." : done);
  } catch (error) {
    liveSay(`The kernel does not answer: ${error.message ?? error}`);
  }
  liveReady(true);
}

const liveActions = {
  all: () => liveRun(() => liveCode.notebook.executeAll(true), "Running all cells ..."),
  restart: () =>
    liveRun(
      () => liveCode.session.restart(),
      "Starting the kernel anew ...",
      "The kernel knows nothing yet. Run the cells again.",
    ),
  // What a cell needs is above it.
  here: (id) =>
    liveRun(() => liveCode.notebook.executeUpTo(id, true), "Running the cells down to this one ..."),
};

// From elsewhere than the site, both files are compared with their checksums.
function loadThebe(address, sums) {
  const known = (name) => (sums ? { integrity: sums[name], crossOrigin: "anonymous" } : {});
  return new Promise((resolve, reject) => {
    const style = document.createElement("link");
    Object.assign(style, known("thebe.css"), { rel: "stylesheet", href: `${address}/thebe.css` });
    const script = document.createElement("script");
    Object.assign(script, known("index.js"), { onload: resolve, onerror: reject });
    script.src = `${address}/index.js`;
    document.head.append(style, script);
  });
}

// An output of the past steps aside once its cell has a new one.
function liveOutputs() {
  for (const cell of document.querySelectorAll("div.cell")) {
    const fresh = cell.querySelector(".thebe-output");
    const stored = cell.querySelector(":scope > .cell_output");
    if (!fresh || !stored) continue;
    stored.classList.add("live-stored");
    new MutationObserver(() => {
      stored.classList.add("live-replaced"); // its caption and its anchor stay
    }).observe(fresh, { childList: true, subtree: true });
  }
}

function liveButtons() {
  for (const [index, cell] of document.querySelectorAll(".thebe-cell").entries()) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "live-here", textContent: "Run to here" });
    button.setAttribute("aria-label", `Run to here, cell ${index + 1}`);
    button.addEventListener("click", () => liveDo("here", cell.dataset.thebeId));
    cell.querySelector(".thebe-controls").prepend(button);
    // The tabulator leads out of a cell again, as everywhere on a page.
    const editor = cell.querySelector(".CodeMirror").CodeMirror;
    const keys = { ...editor.getOption("extraKeys"), Tab: false, "Shift-Tab": false };
    editor.setOption("extraKeys", keys);
    editor.setOption("screenReaderLabel", `Code of cell ${index + 1}`);
  }
  liveReady(false);
}

async function startLiveCode() {
  if (document.querySelector(".live-bar button")?.dataset.started) return;
  const { thebe, sums, ...connection } = JSON.parse(liveScript.dataset.live);
  liveSay("Fetching the editor ...");
  const bar = document.querySelector(".live-bar");
  bar.querySelector("button").dataset.started = "yes";
  const giveUp = (text) => {
    delete bar.querySelector("button").dataset.started;
    liveSay(text);
  };
  try {
    await loadThebe(thebe, sums);
  } catch {
    return giveUp("The editor could not be fetched. Live code needs the network: try again.");
  }
  for (const source of document.querySelectorAll("div.cell > .cell_input pre, details .cell_input pre")) {
    source.dataset.executable = "true";
    source.dataset.language = "python";
  }
  window.thebe.on("error", (name, { message }) => liveSay(`No kernel: ${message}`));
  liveSay(
    connection.serverSettings
      ? "Asking for a kernel ..."
      : "Asking Binder for a kernel: the first time this takes some minutes ...",
  );
  const connected = window.thebe.bootstrap({
    useBinder: !connection.serverSettings,
    requestKernel: true,
    mountStatusWidget: false,
    mountActivateWidget: false,
    mountRunButton: false,
    mountRunAllButton: false,
    mountRestartButton: false,
    mountRestartAllButton: false,
    outputSelector: "[data-no-such-output]",
    mathjaxUrl: "",
    codeMirrorConfig: { autoRefresh: true, theme: "default" },
    ...connection,
  });
  liveButtons();
  liveOutputs();
  try {
    liveCode = await connected;
  } catch (error) {
    return liveSay(`No kernel: ${error.message ?? error}. Read on, or reload the page to try again.`);
  }
  liveReady(true);
  liveSay("Ready. Change a number, then run to that cell.");
}
