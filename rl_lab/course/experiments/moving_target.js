// needs: network.js dqn.js panels.js
// A network learns the corridor: its values, those of its target network, and the exact ones.

/** The corridor of the chapter: `Chain(10, slip=0.1, start=None, max_steps=50)`, discount 0.95. */
const CORRIDOR = { cells: 10, slip: 0.1, maxSteps: 50, gamma: 0.95 };
/** The learner of the stored study `chain`. */
const CORRIDOR_AGENT = { hidden: 32, lr: 0.001, batch: 16, steps: 4000 };

/** Where one cell left (direction 0) or right (1) leads, without a slip. */
function corridorMove(cell, direction) {
  const last = CORRIDOR.cells - 1;
  if (direction === 0) return { next: Math.max(cell - 1, 0), reward: 0, done: false };
  return { next: Math.min(cell + 1, last), reward: cell === last ? 1 : 0, done: cell === last };
}

/** Q* [cell][action], by value iteration. */
function corridorOptimum() {
  let q = Array.from({ length: CORRIDOR.cells }, () => [0, 0]);
  for (let change = 1; change > 1e-12; ) {
    const worth = ({ next, reward, done }) => reward + (done ? 0 : CORRIDOR.gamma * Math.max(...q[next]));
    const swept = q.map((_, cell) =>
      [0, 1].map((a) => (1 - CORRIDOR.slip) * worth(corridorMove(cell, a)) + CORRIDOR.slip * worth(corridorMove(cell, 1 - a))),
    );
    change = Math.max(...swept.flatMap((row, cell) => row.map((value, a) => Math.abs(value - q[cell][a]))));
    q = swept;
  }
  return q;
}

/** target <- (1 - tau) target + tau online, as `DQNAgent` refreshes it. */
function refreshTarget(target, online, tau) {
  target.layers.forEach((layer, depth) => {
    for (const kind of ["weight", "bias"]) {
      const from = online.layers[depth][kind];
      const to = layer[kind];
      for (let i = 0; i < to.length; i += 1) to[i] += tau * (from[i] - to[i]);
    }
  });
}

/** One number per cell, from -1 to 1: what the network reads. */
const cellPlace = (cell) => -1 + (2 * cell) / (CORRIDOR.cells - 1);

/** A random walk through the corridor, stored whole; one update after each environment step. */
class CorridorLearner {
  /** @param {{period: number, tau: number, seed: number}} settings tau 1 is a hard copy */
  constructor({ period, tau, seed }) {
    const { hidden, batch } = CORRIDOR_AGENT;
    const streams = [0, 1, 2].map((stream) => makeRandom(4 * seed + stream));
    [this.walking, this.sampling] = [streams[1], streams[2]];
    Object.assign(this, { period, tau, stored: [], updates: 0, copies: 0, loss: NaN });
    this.online = new QNetwork([1, hidden, hidden, 2]).draw(streams[0]);
    this.rule = new QLearning(this.online, { gamma: CORRIDOR.gamma, double: false, batch });
    this.target = this.rule.target;
    this.minibatch = {
      states: new Float32Array(batch),
      actions: new Uint8Array(batch),
      rewards: new Float32Array(batch),
      nextStates: new Float32Array(batch),
      dones: new Float32Array(batch),
    };
    this.everywhere = Float32Array.from({ length: CORRIDOR.cells }, (_, cell) => cellPlace(cell));
    this.room = this.online.room(CORRIDOR.cells);
    this.start();
  }

  start() {
    this.cell = this.walking.integer(CORRIDOR.cells);
    this.length = 0;
  }

  /** One environment step of the random walk, and an update. */
  step() {
    const action = this.walking.integer(2);
    const slips = this.walking.uniform() < CORRIDOR.slip;
    const { next, reward, done } = corridorMove(this.cell, slips ? 1 - action : action);
    this.observe(this.cell, action, reward, next, done);
    this.cell = next;
    this.length += 1;
    if (done || this.length >= CORRIDOR.maxSteps) this.start();
  }

  /** Store a transition; learn once there are enough for a minibatch. */
  observe(cell, action, reward, next, done) {
    this.stored.push([cellPlace(cell), action, reward, cellPlace(next), done ? 1 : 0]);
    if (this.stored.length < CORRIDOR_AGENT.batch) return;
    const { states, actions, rewards, nextStates, dones } = this.minibatch;
    for (let b = 0; b < CORRIDOR_AGENT.batch; b += 1) {
      const row = this.stored[this.sampling.integer(this.stored.length)];
      [states[b], actions[b], rewards[b], nextStates[b], dones[b]] = row;
    }
    this.loss = this.rule.learn(this.minibatch, CORRIDOR_AGENT.lr);
    this.updates += 1;
    if (this.updates % this.period) return;
    refreshTarget(this.target, this.online, this.tau);
    this.copies += 1;
  }

  /** Values [cell][action] of the online or the target network. */
  values(network) {
    const found = network.forward(this.everywhere, CORRIDOR.cells, this.room);
    return Array.from({ length: CORRIDOR.cells }, (_, cell) => [found[2 * cell], found[2 * cell + 1]]);
  }

  /** Root mean squared error of all values. */
  error(network, exact) {
    const squares = this.values(network).flatMap((row, cell) => row.map((q, a) => (q - exact[cell][a]) ** 2));
    return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
  }
}

function render({ model, el }) {
  const exact = corridorOptimum();
  const cells = exact.map((_, cell) => cell);
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Press Play: how many cells does the reward reach between two copies? Then try periods 1 and 1,000.",
      "Step makes one update: the online values move, and the target waits for its copy.",
      "Seed 29 with period 1, then with period 10: who runs away at the start, and does it come back?",
    ],
  });
  const { root, say } = experiment;
  const put = writeInputs(model);
  const opening = 400; // environment steps that the first picture has behind it
  const recordEvery = 20;

  let learner;
  let run; // {label, look, x, y}: error over environment steps
  let runs = [];
  let pending = 0;

  const soft = () => model.get("refresh") === "soft";
  const describe = () => (soft() ? `tau ${model.get("tau")}` : `period ${model.get("period").toLocaleString("en")}`);
  const begin = () => {
    const label = `${describe()}, seed ${model.get("seed")}`;
    runs = runs.filter((each) => each.x.length > 1 && each.label !== label).slice(-5);
    const look = [0, 1, 2, 3, 4, 5].find((free) => !runs.some((each) => each.look === free));
    learner = new CorridorLearner({
      period: soft() ? 1 : model.get("period"),
      tau: soft() ? model.get("tau") : 1,
      seed: model.get("seed"),
    });
    run = { label, look, x: [], y: [] };
    runs.push(run);
    pending = 0;
    note();
  };
  const steps = () => learner.stored.length;
  const note = () => {
    run.x.push(steps());
    run.y.push(learner.error(learner.online, exact));
  };
  const advance = () => {
    if (steps() >= CORRIDOR_AGENT.steps) return;
    learner.step();
    if (steps() % recordEvery === 0) note();
    if (steps() < CORRIDOR_AGENT.steps) return;
    model.set("state", { runs: runs.map(({ label, x, y }) => ({ label, env_steps: x.at(-1), rms: y.at(-1) })) });
    model.save_changes();
  };

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "Left, online, target and exact values by cell; right, the error against Q* over environment steps",
    height: (width) => (width < 600 ? 640 : 400),
    draw: (context, width, height, colors) => {
      const entries = [
        { label: "online", look: 0, dash: [] },
        { label: "target", look: 1 },
        { label: "exact, Q*", look: 0, thin: true, dash: [], color: colors.text },
      ];
      const top = drawKey(context, width, colors, entries);
      const [values, errors] = makePanels(width, height, 2, top);
      drawCorridorValues(context, values, colors);
      drawErrors(context, errors, colors);
    },
  });
  const drawCorridorValues = (context, box, colors) => {
    const action = model.get("action") === "right" ? 1 : 0;
    const [online, target, truth] = [learner.values(learner.online), learner.values(learner.target), exact].map(
      (table) => table.map((row) => row[action]),
    );
    const all = [...online, ...target, -0.25, 1.1];
    const axes = openAxes(context, box, colors, {
      title: `Value of stepping ${model.get("action")}`,
      xLabel: "cell (the prize is right of cell 9)",
      yLabel: `Q(s, ${model.get("action")})`,
      xRange: [-0.4, 9.4],
      yRange: [Math.min(...all), Math.max(...all)],
      xTicks: cells,
    });
    axes.line(cells, truth, 0, { color: colors.text, dash: [], thin: true });
    axes.line(cells, target, 1);
    axes.line(cells, online, 0, { dash: [] });
    cells.forEach((cell) => axes.dot(cell, target[cell], 1, { hollow: true, size: 4.5 }));
    cells.forEach((cell) => axes.dot(cell, online[cell], 0, { size: 3 }));
  };
  const drawErrors = (context, box, colors) => {
    const rows = drawKey(context, box.width - 60, colors, runs, true) + 8;
    const highest = Math.max(...runs.flatMap((each) => each.y));
    const axes = openAxes(context, { ...box, y: box.y, height: box.height - rows }, colors, {
      title: "Error of the online values against Q*",
      xLabel: "environment steps",
      yLabel: "RMS error",
      xRange: [0, CORRIDOR_AGENT.steps],
      yRange: [0.005, Math.max(2, 2 * Math.min(highest, 1e30))],
      log: true,
    });
    for (const { x, y, look } of runs) axes.line(x, y, look);
    axes.dot(run.x.at(-1), run.y.at(-1), run.look);
    context.save();
    context.translate(axes.left - 4, box.y + box.height - rows + 6);
    drawKey(context, box.width - 60, colors, runs);
    context.restore();
  };

  const refresh = (now = false) => {
    redraw();
    const ago = learner.updates % learner.period;
    const copy = soft()
      ? `a share of ${learner.tau} copied after each`
      : `${learner.copies} ${learner.copies === 1 ? "copy" : "copies"}${learner.copies ? `, the last ${ago} updates ago` : " so far"}`;
    const errors = [learner.online, learner.target].map((network) => learner.error(network, exact).toPrecision(2));
    const loss = Number.isFinite(learner.loss) ? ` Loss ${learner.loss.toPrecision(2)}.` : "";
    const end = steps() >= CORRIDOR_AGENT.steps ? " The run is complete." : "";
    say(
      `${run.label}: environment step ${steps().toLocaleString("en")}, ${learner.updates.toLocaleString("en")} updates, ${copy}. ` +
        `RMS error against Q*: online ${errors[0]}, target ${errors[1]}.${loss}${end}`,
      now,
    );
  };
  const open = () => {
    runs = [];
    begin();
    while (steps() < opening) advance();
    refresh(true);
  };

  const controls = {
    refresh: makeSelect({
      label: "Refresh of the target",
      value: model.get("refresh"),
      options: [["hard", "hard copy"], ["soft", "soft copy"]],
      onInput: put("refresh"),
    }),
    period: makeChoice({
      label: "Period C, updates",
      values: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
      value: model.get("period"),
      text: (n) => (n === 1 ? "1 (no target network)" : n.toLocaleString("en")),
      onInput: put("period"),
    }),
    tau: makeChoice({
      label: "Share tau, per update",
      values: [0.002, 0.005, 0.02, 0.1, 0.2, 1],
      value: model.get("tau"),
      text: (tau) => (tau === 1 ? "1 (no target network)" : String(tau)),
      onInput: put("tau"),
    }),
    seed: makeRange({ label: "Seed", min: 0, max: Math.max(50, model.get("seed")), step: 1, value: model.get("seed"), onInput: put("seed") }),
    action: makeSelect({
      label: "Action shown",
      value: model.get("action"),
      options: [["right", "right"], ["left", "left"]],
      onInput: put("action"),
    }),
    speed: makeChoice({
      label: "Updates per second",
      values: [2, 20, 100, 400],
      value: model.get("speed"),
      onInput: put("speed"),
    }),
  };
  const fit = () => {
    controls.period.element.style.display = soft() ? "none" : "";
    controls.tau.element.style.display = soft() ? "" : "none";
  };
  const recall = followInputs(experiment, model, controls, (name) => {
    fit();
    if (name === "speed") return;
    if (name !== "action") begin();
    refresh(true);
  });
  const bar = makePlayBar(experiment, {
    frame: (seconds) => {
      pending += seconds * model.get("speed");
      const until = performance.now() + 40;
      for (; pending >= 1; pending -= 1) {
        advance();
        if (performance.now() > until) pending = Math.min(pending, 1); // a slow machine falls behind
      }
      const complete = steps() >= CORRIDOR_AGENT.steps;
      if (complete) bar.pause();
      refresh(complete);
    },
    step: () => {
      advance();
      refresh(true);
    },
    reset: () => {
      recall();
      fit();
      open();
    },
    onChange: (running) => {
      if (running && steps() >= CORRIDOR_AGENT.steps) begin();
    },
  });
  root.append(
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    bar.element,
    figure,
  );
  fit();
  open();
  return experiment.destroy;
}

export default { render };
