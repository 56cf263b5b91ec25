// needs: cartpole.js network.js dqn.js
// DQN learns CartPole in the page; the curves of successive runs stay for comparison.

// Means of the last 20 returns after each 500 environment steps, of two runs by this code.
const STORED_EVERY = 500;
const STORED_SETTINGS = { targetPeriod: 100, lr: 0.002, epsilonEnd: 0.05, batch: 64, seed: 0 };
const STORED_RUNS = [
  {
    label: "replay, seed 0",
    settings: { ...STORED_SETTINGS, replay: true },
    y: [
      25.5, 15, 32.5, 48.9, 78, 99.9, 114.2, 122.8, 159.8, 181.7,
      201.2, 217.9, 236.6, 252.2, 256.6, 257.6, 264.4, 272.9, 257.4, 256.9,
      257.3, 258.1, 262.6, 264.4, 262.4, 262.2, 256.1, 256.1, 262.2, 263.1,
      258.6, 258.8, 257.1, 249.2, 246.6, 252.1, 265.8, 280.6, 292.9, 307.6,
    ],
  },
  {
    label: "no replay, seed 0",
    settings: { ...STORED_SETTINGS, replay: false },
    y: [
      25.5, 26.1, 33.1, 44, 70.3, 95.2, 111, 136.7, 156.7, 166.3,
      32.3, 42.5, 64.9, 85.7, 110.8, 119.5, 125.1, 131.2, 136.5, 157.1,
      176.7, 195.6, 215, 234.4, 253.9, 273.7, 292.5, 310.3, 328.6, 346.4,
      364.4, 382.1, 399.1, 415.6, 353.1, 9.2, 15.7, 40.2, 64.7, 89.3,
    ],
  },
].map((run) => ({ ...run, x: run.y.map((_, i) => STORED_EVERY * (i + 1)) }));

const TRAIN_NAMES = {
  replay: ["replay", "replay"],
  targetPeriod: ["target_period", "target period"],
  lr: ["lr", "learning rate"],
  epsilonEnd: ["epsilon_end", "final epsilon"],
  batch: ["batch", "batch"],
  double: ["double", "Double target"],
  nStep: ["n_step", "n"],
  dueling: ["dueling", "dueling network"],
  seed: ["seed", "seed"],
};

/** How settings differ from others: "no replay, seed 3". */
function describeSettings(settings, usual) {
  const words = Object.keys(TRAIN_NAMES)
    .filter((key) => settings[key] !== usual[key] && key !== "seed")
    .map((key) => {
      if (typeof settings[key] === "boolean") return `${settings[key] ? "" : "no "}${TRAIN_NAMES[key][1]}`;
      if (key === "nStep") return `${settings.nStep}-step returns`;
      if (key === "targetPeriod" && settings[key] === 1) return "no target network";
      return `${TRAIN_NAMES[key][1]} ${settings[key]}`;
    });
  return `${words.join(", ") || "the first settings"}, seed ${settings.seed}`;
}

/** Points [environment steps, mean of the last 20 returns] after each episode. */
function meanCurve(returns, ends) {
  const x = [];
  const y = [];
  let sum = 0;
  returns.forEach((value, i) => {
    sum += value - (i >= 20 ? returns[i - 20] : 0);
    x.push(ends[i]);
    y.push(sum / Math.min(i + 1, 20));
  });
  return { x, y };
}

function render({ model, el }) {
  const usual = Object.fromEntries(
    Object.entries(TRAIN_NAMES).map(([key, [name]]) => [key, model.get(name)]),
  );
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Press Train, and wait for the end of the run. Then switch replay off, and train again.",
      "Target period 1 is no target network at all: what changes, and does it with other seeds?",
      "One run is an anecdote: train five seeds of each setting, and compare their greedy returns.",
      "One update shows the minibatch it learns from.",
    ],
  });
  const { root, say } = experiment;
  const now = () =>
    Object.fromEntries(Object.entries(TRAIN_NAMES).map(([key, [name]]) => [key, model.get(name)]));

  let started = 0; // runs so far
  let runs = []; // {number, settings, label, returns, ends, style, greedy}; one style for five seeds
  let left = 0; // runs that five seeds still need, the present one included
  let firstSeed = null; // of these five
  let known = now(); // what the controls were last given
  let current = null;
  let running = false;
  let latest = null; // the last report

  let order = () => {};
  const connect = () => {
    try {
      const url = URL.createObjectURL(new Blob([learnerWorkerSource()], { type: "text/javascript" }));
      const worker = new Worker(url);
      let works = false;
      worker.onmessage = (event) => {
        works = true;
        hear(event.data);
      };
      worker.onerror = (event) => {
        const stopped = current;
        [current, running] = [null, false];
        endSeries();
        main.textContent = "Train";
        if (works) return say(`The run stopped with an error: ${event.message}. Train starts another.`, true);
        worker.terminate();
        within();
        if (stopped) say("This viewer allows no workers: press Train again to learn in the page.", true);
      };
      experiment.onDestroy(() => (worker.terminate(), URL.revokeObjectURL(url)));
      order = (message) => worker.postMessage(message);
    } catch {
      within();
    }
  };
  const within = () => {
    order = hostLearner(hear, 12);
    experiment.onDestroy(() => order({ kind: "start", settings: usual }));
  };

  const hear = (report) => {
    if (report.run !== current?.number) return; // the last word of a run that was ended
    current.returns.push(...report.returns);
    current.ends.push(...report.ends);
    latest = report;
    running = report.running;
    main.textContent = running ? "Pause" : "Train";
    if (report.rows) showRows(report);
    if (report.finished) {
      current.greedy = report.greedy;
      finish();
    }
    refresh(report.finished);
    if (report.finished && left > 1) another();
    else if (report.finished) endSeries();
  };
  const finish = () => {
    const done = runs.filter((run) => run.returns.length);
    model.set("state", {
      runs: done.map(({ settings, returns, greedy }) => ({
        ...settings,
        ...(greedy === undefined ? {} : { greedy }),
        mean: returns.slice(-20).reduce((sum, value) => sum + value, 0) / Math.min(20, returns.length),
      })),
    });
    model.save_changes();
    current = null;
  };
  const begin = (like = null) => {
    if (current) return;
    const settings = now();
    const label = describeSettings(settings, usual);
    const taken = runs.map((run) => run.style);
    const free = [2, 3, 4, 5].find((style) => !taken.includes(style)); // 0, 1: the stored runs
    started += 1;
    current = { number: started, settings, label, returns: [], ends: [], style: like?.style ?? free };
    runs.push(current);
    rows.hidden = true;
    latest = null;
    order({ kind: "start", settings, run: started });
  };
  const makeRoom = () => {
    const styles = new Set(runs.map((run) => run.style));
    if (!current && styles.size >= 4) runs = runs.filter((run) => run.style !== runs[0].style);
  };
  const setSeed = (seed) => {
    known.seed = seed;
    controls.seed.set(seed);
    model.set("seed", seed);
    model.save_changes();
  };
  const endSeries = () => {
    const seed = firstSeed;
    [left, firstSeed] = [0, null];
    if (seed !== null) setSeed(seed); // so that the next five are the same
  };
  const another = () => {
    const before = runs.at(-1);
    left -= 1;
    setSeed(now().seed + 1);
    begin(before);
    order({ kind: "run" });
    running = true;
    main.textContent = "Pause";
  };
  const trainFive = () => {
    stop();
    setSeed(Math.min(now().seed, 2 ** 30 - 5)); // the largest seed that the model takes
    [left, firstSeed] = [5, now().seed];
    train();
  };
  const train = () => {
    makeRoom();
    begin();
    order({ kind: running ? "pause" : "run" });
    if (!running) say("Training; the first 500 environment steps are random play.", true);
    running = !running;
    main.textContent = running ? "Pause" : "Train";
  };
  const stepOnce = () => {
    makeRoom();
    begin();
    order({ kind: "step" });
  };
  const stop = () => {
    endSeries();
    if (!current) return;
    order({ kind: "pause" });
    finish();
    running = false;
    main.textContent = "Train";
  };
  const clear = () => {
    stop();
    [runs, latest] = [[], null];
    rows.hidden = true;
    for (const [key, [name]] of Object.entries(TRAIN_NAMES)) model.set(name, usual[key]);
    model.save_changes();
    refresh(true);
  };

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "Mean return of the last 20 training episodes over environment steps, a line per run",
    height: (width) => (width < 520 ? 340 : 380),
    draw: (context, width, height, colors) => {
      // Not before the reader has a run to compare them with: they would answer the question.
      const shown = runs.some((run) => run !== current && run.returns.length) ? STORED_RUNS : [];
      const stored = shown.map(({ label, x, y }, style) => ({ label: `stored: ${label}`, x, y, style }));
      const own = runs.map(({ label, style, returns, ends }, i) => ({
        label: runs.findIndex((run) => run.style === style) === i && `${label}${runs[i + 1]?.style === style ? " and on" : ""}`,
        style,
        ...meanCurve(returns, ends),
      }));
      const series = [...stored, ...own];
      if (current)
        series.unshift({ x: current.ends, y: current.returns, style: current.style, faint: true });
      const chart = {
        series,
        xLabel: "environment steps",
        yLabel: "mean return, last 20 episodes",
        xRange: [0, DQN_FIXED.steps],
        yRange: [0, 500],
      };
      drawLines(context, { x: 0, y: 0, width, height }, colors, chart);
    },
  });

  const refresh = (at) => {
    redraw();
    if (!runs.length) {
      say(`Nothing is trained yet. How high will the line be after ${DQN_FIXED.steps.toLocaleString("en")} environment steps? Press Train; two stored runs join yours when it is done.`, at);
    } else if (latest) {
      const run = runs.at(-1);
      const parts = [
        `${run.label}: environment step ${latest.envSteps.toLocaleString("en")}`,
        `update ${latest.updates.toLocaleString("en")}`,
        `mean return of the last 20 episodes ${latest.recentMean.toFixed(1)}`,
        `epsilon ${latest.epsilon.toFixed(2)}`,
        `loss ${Number.isFinite(latest.loss) ? latest.loss.toPrecision(3) : "none yet"}`,
      ];
      const alike = runs.filter((other) => other.style === run.style && other.greedy !== undefined);
      const greedy = alike.map((other) => other.greedy.toFixed(0)).join(", ");
      const end = latest.finished ? ` The run is complete. Greedy, on 20 unseen starts: ${greedy}.` : "";
      say(`${parts.join(", ")}.${end}`, at);
    }
  };

  const rows = make("div", { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "First rows of the minibatch", hidden: true });
  const showRows = (report) => {
    const head = ["transition", "age", "target y", "Q(s, a)", "y - Q"];
    const cells = (row) => [
      row.age,
      row.target.toFixed(3),
      (row.target - row.error).toFixed(3),
      row.error.toFixed(3),
    ];
    const reward = ({ reward: sum, horizon }) => (horizon > 1 ? `${sum.toFixed(2)} in ${horizon} steps` : sum);
    const name = (row) =>
      `${row.action ? "right" : "left"} in (${row.state.map((value) => value.toFixed(2)).join(", ")}), reward ${reward(row)}${row.done ? ", terminal" : ""}`;
    rows.hidden = false;
    rows.replaceChildren(
      make("p", {
        text: `Update ${report.updates}: loss ${report.loss.toPrecision(4)}, the mean of (y - Q)^2 over ${current.settings.batch} transitions. The first five; a state is (position, speed, angle, spin), scaled, and age counts the transitions stored since:`,
      }),
      make(
        "table",
        {},
        make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col", text })))),
        make(
          "tbody",
          {},
          ...report.rows.map((row) =>
            make(
              "tr",
              {},
              make("th", { scope: "row", class: "rl-words", text: name(row) }),
              ...cells(row).map((text) => make("td", { text: String(text) })),
            ),
          ),
        ),
      ),
    );
  };

  const change = (key) => (value) => {
    if (key === "seed") firstSeed = null; // the reader chose another
    stop();
    known[key] = value;
    model.set(TRAIN_NAMES[key][0], value);
    model.save_changes();
    say(`Train starts a run: ${describeSettings(now(), usual)}.`);
  };
  const choices = (list, key) => {
    const all = [...new Set([...list, usual[key]])].sort((a, b) => a - b);
    return all.map((value) => [String(value), key === "targetPeriod" && value === 1 ? "1 (none)" : String(value)]);
  };
  const select = (key, label, list) =>
    makeSelect({
      label,
      value: String(usual[key]),
      options: choices(list, key),
      onInput: (value) => change(key)(Number(value)),
    });
  const controls = {
    replay: makeCheckbox({ label: "Replay (else the newest transitions)", value: usual.replay, onInput: change("replay") }),
    targetPeriod: select("targetPeriod", "Target period, updates", [1, 10, 50, 100, 200, 500]),
    lr: select("lr", "Learning rate", [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01]),
    epsilonEnd: makeRange({
      label: "Final epsilon",
      min: 0,
      max: 1,
      step: 0.05,
      value: usual.epsilonEnd,
      format: (value) => toDigits(value, 2),
      onInput: change("epsilonEnd"),
    }),
    batch: select("batch", "Batch size", [8, 16, 32, 64, 128]),
    seed: makeRange({ label: "Seed", min: 0, max: Math.max(20, usual.seed), step: 1, value: usual.seed, onInput: change("seed") }),
  };
  const switches = {
    double: makeCheckbox({ label: "Double target", value: usual.double, onInput: change("double") }),
    nStep: select("nStep", "Steps in a return, n", [1, 3, 5]),
    dueling: makeCheckbox({ label: "Dueling network", value: usual.dueling, onInput: change("dueling") }),
  };
  const elements = (all) => Object.values(all).map((control) => control.element);
  const main = makeButton({ label: "Train", main: true, onClick: train });
  const bar = make(
    "div",
    { class: "rl-bar" },
    main,
    makeButton({ label: "Five seeds", onClick: trainFive }),
    makeButton({ label: "One update", onClick: stepOnce }),
    makeButton({ label: "Reset", onClick: clear }),
  );
  root.append(
    make("div", { class: "rl-controls" }, ...elements(controls)),
    make(
      "details",
      {},
      make("summary", { text: "More switches, from later chapters" }),
      make("div", { class: "rl-controls" }, ...elements(switches)),
    ),
    bar,
    figure,
  );
  refresh(true);
  root.append(
    rows,
    make(
      "details",
      {},
      make("summary", { text: "What exactly learns here" }),
      make("p", {
        text:
          `Double DQN with one-step returns unless switched otherwise, two hidden layers of ${DQN_FIXED.hidden[0]} units ` +
          `(in a dueling network half of the second layer feeds each stream), mean squared error, gamma ${DQN_FIXED.gamma}. ` +
          `One update per environment step after ${DQN_FIXED.warmUp} of random play; epsilon falls from 1 over ` +
          `${DQN_FIXED.exploreSteps.toLocaleString("en")} environment steps; Adam's learning rate falls to 0 over ` +
          `${DQN_FIXED.steps.toLocaleString("en")}, the length of a run. Position, speed, angle and spin are multiplied by ` +
          `${DQN_FIXED.scale.join(", ")}. Curves are returns of training, exploration included; the greedy return after a run is a mean over 20 episodes from unseen starts.`,
      }),
    ),
  );
  connect();

  const follow = () => {
    const changed = Object.entries(now()).filter(([key, value]) => value !== known[key]);
    known = now();
    if (changed.length) stop();
    changed.forEach(([key, value]) => ({ ...controls, ...switches })[key].set(value));
  };
  const events = Object.values(TRAIN_NAMES).map(([name]) => `change:${name}`).join(" ");
  model.on(events, follow);
  experiment.onDestroy(() => model.off(events, follow));
  return experiment.destroy;
}

export default { render };
