// needs: heat.js pair.js
// Q-learning on FrozenLake: the table as a map, and its distance to the exact values.

const ACTIONS = ["left", "down", "right", "up"]; // Gymnasium's numbers 0 to 3
const MOVES = [[-1, 0], [0, 1], [1, 0], [0, -1]]; // columns, rows

/** Gymnasium's FrozenLake-v1, 4 x 4. */
class FrozenLake {
  static rows = ["SFFF", "FHFH", "FFFH", "HFFG"];
  static stepLimit = 100;
  static letter = (state) => FrozenLake.rows[state >> 2][state & 3];
  static over = (state) => "HG".includes(FrozenLake.letter(state));

  static move(state, direction) {
    const inside = (i) => Math.min(3, Math.max(0, i));
    const [dx, dy] = MOVES[direction];
    return 4 * inside((state >> 2) + dy) + inside((state & 3) + dx);
  }

  /** What may follow: pairs of probability and next state. On ice one third each. */
  static outcomes(state, action, slippery) {
    if (FrozenLake.over(state)) return [[1, state]];
    const turns = slippery ? [3, 0, 1] : [0];
    return turns.map((turn) => [1 / turns.length, FrozenLake.move(state, (action + turn) % 4)]);
  }

  /** The reward of arriving in `next` from another square. */
  static reward = (next) => Number(FrozenLake.letter(next) === "G");
}

/** Q* [16][4] by value iteration. */
function optimalLakeQ(gamma, slippery, tolerance = 1e-12) {
  let q = Array.from({ length: 16 }, () => [0, 0, 0, 0]);
  for (;;) {
    const best = q.map((row) => Math.max(...row));
    const next = q.map((row, s) =>
      row.map((_, a) => {
        if (FrozenLake.over(s)) return 0;
        let sum = 0;
        for (const [p, s2] of FrozenLake.outcomes(s, a, slippery))
          sum += p * (FrozenLake.reward(s2) + (FrozenLake.over(s2) ? 0 : gamma * best[s2]));
        return sum;
      }),
    );
    const moved = lakeDistance(next, q);
    q = next;
    if (moved <= tolerance) return q;
  }
}

/** All differences between the entries of two tables, in size. */
const lakeErrors = (one, other) => one.flatMap((row, s) => row.map((value, a) => Math.abs(value - other[s][a])));

/** The largest of them: the distance in the maximum norm. */
const lakeDistance = (one, other) => Math.max(...lakeErrors(one, other));

/** Q-learning's update of one entry; `done` means terminal. Returns the target and the TD error. */
function qLearningUpdate(q, { state, action, reward, next, done }, alpha, gamma) {
  const target = reward + gamma * (1 - Number(done)) * Math.max(...q[next]);
  const error = target - q[state][action];
  q[state][action] += alpha * error;
  return { target, error };
}

/** A learner on the lake; each step is given alpha, gamma, epsilon and slippery anew. */
class LakeLearner {
  constructor(seed) {
    this.random = makeRandom(seed);
    this.q = Array.from({ length: 16 }, () => [0, 0, 0, 0]);
    this.steps = 0;
    this.begin();
  }

  begin() {
    [this.state, this.length] = [0, 0];
  }

  /** Epsilon-greedy; ties are broken at random. */
  act(epsilon) {
    if (this.random.uniform() < epsilon) return this.random.integer(4);
    const row = this.q[this.state];
    const top = Math.max(...row);
    const best = [0, 1, 2, 3].filter((a) => row[a] === top);
    return best.length === 1 ? best[0] : best[this.random.integer(best.length)];
  }

  /** One environment step and its update; returns what happened. */
  step({ alpha, gamma, epsilon, slippery }) {
    const { state } = this;
    const action = this.act(epsilon);
    const outcomes = FrozenLake.outcomes(state, action, slippery);
    const next = outcomes[outcomes.length === 1 ? 0 : this.random.integer(outcomes.length)][1];
    const done = FrozenLake.over(next);
    const transition = { state, action, reward: FrozenLake.reward(next), next, done };
    const before = this.q[state][action];
    const { target } = qLearningUpdate(this.q, transition, alpha, gamma);
    this.steps += 1;
    this.length += 1;
    this.state = next;
    if (done || this.length >= FrozenLake.stepLimit) this.begin();
    return { ...transition, target, before, after: this.q[state][action] };
  }
}

/** Draw the lake: in every square four values, and arrows for the best. */
function drawLake(context, box, colors, q, agent) {
  const side = box.size / 4;
  const small = Math.round(Math.min(13, side / 6.8));
  for (let s = 0; s < 16; s += 1) {
    const [x, y] = [box.x + (s & 3) * side, box.y + (s >> 2) * side];
    const [cx, cy] = [x + side / 2, y + side / 2];
    const letter = FrozenLake.letter(s);
    context.textBaseline = "middle";
    context.textAlign = "center";
    if (FrozenLake.over(s)) {
      context.fillStyle = colors.surface;
      context.fillRect(x, y, side, side);
      context.fillStyle = colors.text;
      context.font = `bold ${colors.font(Math.round(side / 3.4))}`;
      context.fillText(letter, cx, cy - side * 0.06);
      context.font = colors.font(small);
      context.fillText(letter === "H" ? "hole" : "goal", cx, cy + side * 0.24);
    } else drawSquare(context, { x, y, cx, cy, side, small, letter }, colors, q[s]);
  }
  context.strokeStyle = colors.muted;
  context.lineWidth = 1.5;
  for (let i = 0; i <= 4; i += 1) {
    context.strokeRect(box.x, box.y + Math.min(i, 3) * side, box.size, side);
    context.strokeRect(box.x + Math.min(i, 3) * side, box.y, side, box.size);
  }
  const inset = 1;
  context.strokeStyle = colors.series[1];
  context.lineWidth = 4;
  context.strokeRect(
    box.x + (agent & 3) * side + inset,
    box.y + (agent >> 2) * side + inset,
    side - 2 * inset,
    side - 2 * inset,
  );
}

function drawSquare(context, { x, y, cx, cy, side, small, letter }, colors, row) {
  const corners = [[x, y], [x, y + side], [x + side, y + side], [x + side, y]];
  const top = Math.max(...row);
  const told = top > 0;
  row.forEach((value, a) => {
    const { fill, text } = heat(value, colors);
    context.beginPath();
    for (const [px, py] of [corners[a], corners[(a + 1) % 4], [cx, cy]]) context.lineTo(px, py);
    context.closePath();
    context.fillStyle = fill;
    context.fill();
    context.strokeStyle = colors.line;
    context.lineWidth = 0.75;
    context.stroke();
    const [dx, dy] = MOVES[a];
    context.fillStyle = text;
    context.font = `${value === top && told ? "bold " : ""}${colors.font(small)}`;
    context.fillText(value.toFixed(2).replace(/^0/, "").replace(/^1.00$/, "1.0"), cx + 0.35 * side * dx, cy + 0.385 * side * dy);
    if (value === top && told) {
      const at = (along, across) =>
        [cx + side * (along * dx + across * dy), cy + side * (along * dy - across * dx)];
      context.strokeStyle = text;
      context.lineWidth = Math.max(2, side / 32);
      context.beginPath();
      for (const point of [at(0.02, 0), at(0.19, 0)]) context.lineTo(...point);
      context.moveTo(...at(0.12, 0.07));
      for (const point of [at(0.19, 0), at(0.12, -0.07)]) context.lineTo(...point);
      context.stroke();
    }
  });
  context.beginPath();
  context.arc(x + 0.14 * side, y + 0.14 * side, 0.65 * small, 0, 2 * Math.PI);
  context.fillStyle = colors.background;
  context.fill();
  context.font = `bold ${colors.font(small - 2)}`;
  context.fillStyle = colors.text;
  context.fillText(letter, x + 0.14 * side, y + 0.145 * side);
}

function render({ model, el }) {
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Lower alpha to 0.05 and press Play: what becomes of the distance to Q*? Then alpha 1.",
      "Slippery off, alpha 1, empty table: how close can the table come now?",
      "Slippery off, epsilon 0, seed 2, empty table: it finds a way to the goal. What does it never learn?",
    ],
  });
  const { root, say } = experiment;
  const NAMES = ["alpha", "gamma", "epsilon", "slippery"];
  const opening = Object.fromEntries([...NAMES, "speed", "seed"].map((name) => [name, model.get(name)]));
  const settings = () => Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));

  let learner;
  let exact;
  let history; // {x, largest, mean, every}: environment steps, and errors then
  let tally; // environment steps owed to the clock
  let last; // the newest transition, while steps are watched one by one

  const distance = () => lakeDistance(learner.q, exact);
  const errors = () => {
    const all = lakeErrors(learner.q, exact);
    const acted = all.filter((_, i) => !FrozenLake.over(i >> 2)); // nobody acts in a hole
    return { largest: Math.max(...all), mean: acted.reduce((sum, error) => sum + error, 0) / acted.length };
  };
  const note = () => {
    const { largest, mean } = errors();
    history.x.push(learner.steps);
    history.largest.push(largest);
    history.mean.push(mean);
    if (history.x.length <= 800) return;
    history.every *= 2;
    for (const key of ["x", "largest", "mean"]) history[key] = history[key].filter((_, i) => i % 2 === 0);
  };
  const advance = (count) => {
    const now = settings();
    for (let i = 0; i < count; i += 1) {
      last = learner.step(now);
      if (learner.steps % history.every === 0) note();
    }
  };
  const solve = () => (exact = optimalLakeQ(model.get("gamma"), model.get("slippery")));
  const start = (count) => {
    learner = new LakeLearner(model.get("seed"));
    history = { x: [], largest: [], mean: [], every: 10 };
    [tally, last] = [makeTally(), null];
    solve();
    note();
    advance(count);
    refresh("", true);
  };
  const right = () => {
    const best = (row, tolerance) => row.map((value) => value >= Math.max(...row) - tolerance);
    let count = 0;
    for (let s = 0; s < 16; s += 1) {
      if (FrozenLake.over(s) || Math.max(...learner.q[s]) === 0) continue;
      const good = best(exact[s], 1e-9);
      if (best(learner.q[s], 0).every((chosen, a) => !chosen || good[a])) count += 1;
    }
    return count;
  };

  const pair = makePair();
  const map = makeCanvas(experiment, {
    parent: pair,
    label: "Map of the lake: the four action values of every square, and arrows for the best",
    height: (width) => Math.min(width, 430) + 26,
    draw: (context, width, height, colors) => {
      const size = Math.min(width, 430) - 4;
      const x = (width - size) / 2;
      drawLake(context, { x, y: 2, size }, colors, learner.q, learner.state);
      drawHeatScale(context, { x, y: height - 10, width: size }, colors, ["value 0", "1"]);
    },
  });
  const chart = makeCanvas(experiment, {
    parent: pair,
    label: "Distance between the table and Q* over environment steps",
    height: (width) => Math.max(250, Math.min(width, 430) + 26),
    draw: (context, width, height, colors) => {
      const now = errors();
      const series = [["largest error", "largest"], ["mean error", "mean"]].map(([label, key]) => ({
        label,
        x: [...history.x, learner.steps],
        y: [...history[key], now[key]],
      }));
      const xRange = [0, Math.max(1000, learner.steps)];
      const axes = { xLabel: "environment steps", yLabel: "distance to Q*", xRange, yRange: [0, 1] };
      drawLines(context, { x: 0, y: 0, width, height }, colors, { series, ...axes });
    },
  });

  const refresh = (about = "", now = false) => {
    map.redraw();
    chart.redraw();
    const parts = [
      `Environment step ${learner.steps.toLocaleString("en")}: distance to Q* ${distance().toFixed(3)}`,
      `a best action on ${right()} of 11 squares`,
      `the start is worth ${Math.max(...learner.q[0]).toFixed(2)}, exactly ${Math.max(...exact[0]).toFixed(2)}`,
    ];
    say(`${about}${parts.join("; ")}.`, now);
    if (values.open) showValues();
    model.set("state", { steps: learner.steps, distance: distance() });
    if (!bar.playing()) model.save_changes(); // not sixty times a second to a kernel
  };
  const tell = () => {
    if (!last) return "";
    const meant = FrozenLake.move(last.state, last.action);
    const slid = meant === last.next ? "" : ", slid";
    return (
      `Square ${last.state}, ${ACTIONS[last.action]}${slid}: now ${last.next}` +
      `${last.done ? ` (${last.reward ? "goal" : "hole"})` : ""}; target ${last.target.toFixed(3)}, ` +
      `Q ${last.before.toFixed(3)} becomes ${last.after.toFixed(3)}. `
    );
  };

  const body = make("tbody");
  const scroll = make(
    "div",
    { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "All values" },
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, ...["square", ...ACTIONS, ...ACTIONS.map((a) => `Q* ${a}`)].map((text) => make("th", { scope: "col", text })))),
      body,
    ),
  );
  const values = make("details", {}, make("summary", { text: "All values in numbers" }), scroll);
  const showValues = () => {
    const cells = (s) => [...learner.q[s], ...exact[s]].map((value) => make("td", { text: value.toFixed(3) }));
    const squares = Array.from({ length: 16 }, (_, s) => s).filter((s) => !FrozenLake.over(s));
    const head = (s) => make("th", { scope: "row", text: `${s} ${FrozenLake.letter(s)}` });
    body.replaceChildren(...squares.map((s) => make("tr", {}, head(s), ...cells(s))));
  };
  values.addEventListener("toggle", () => values.open && showValues());

  const change = (name, convert = (value) => value) => (value) => {
    model.set(name, convert(value));
    model.save_changes();
  };
  const range = (name, label, min, max) =>
    makeRange({
      label,
      min,
      max,
      step: 0.01,
      value: model.get(name),
      format: (value) => toDigits(value, 2),
      onInput: change(name),
    });
  const controls = {
    alpha: range("alpha", "Learning rate alpha", 0.01, 1),
    gamma: range("gamma", "Discount gamma", 0, 0.99),
    epsilon: range("epsilon", "Random actions epsilon", 0, 1),
    slippery: makeCheckbox({ label: "Slippery", value: model.get("slippery"), onInput: change("slippery") }),
    speed: makeSelect({
      label: "Environment steps a second",
      value: String(model.get("speed")),
      options: [2, 20, 200, 2000].map((n) => [String(n), n.toLocaleString("en")]),
      onInput: change("speed", Number),
    }),
    seed: makeRange({ label: "Seed", min: 0, max: Math.max(20, opening.seed), step: 1, value: opening.seed, onInput: change("seed") }),
  };
  const bar = makePlayBar(experiment, {
    frame: (seconds) => {
      const count = tally(seconds * model.get("speed"));
      if (count) advance(count);
      if (count) refresh(model.get("speed") <= 2 ? tell() : "");
    },
    step: () => {
      advance(1);
      refresh(tell(), true);
    },
    reset: () => {
      for (const [name, value] of Object.entries(opening)) model.set(name, value);
      model.save_changes();
      start(model.get("steps"));
    },
    onChange: (playing) => playing || model.save_changes(),
  });
  const button = (label, action) =>
    bar.element.append(makeButton({ label, onClick: () => (bar.pause(), action()) }));
  button("1,000 steps", () => (advance(1000), refresh("", true)));
  button("Empty table", () => start(0));

  root.append(
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    bar.element,
    pair,
  );
  start(model.get("steps"));
  root.append(values);

  const events = Object.keys(controls).map((name) => {
    const follow = () => {
      controls[name].set(model.get(name));
      if (name === "seed") return start(model.get("steps"));
      if (name === "speed") return undefined;
      if (name === "gamma" || name === "slippery") solve();
      const shown = name === "slippery" ? (model.get(name) ? "on" : "off") : toDigits(model.get(name), 2);
      return refresh(`From here on ${name} ${shown}. `);
    };
    return [`change:${name}`, follow];
  });
  for (const [name, follow] of events) model.on(name, follow);
  experiment.onDestroy(() => events.forEach(([name, follow]) => model.off(name, follow)));
  return experiment.destroy;
}

export default { render };
