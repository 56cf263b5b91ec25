// needs: cartpole.js heat.js stats.js pair.js
// CartPole's four numbers cut into bins: the size of the table, what is visited, what it earned.

const BIN_NAMES = ["position", "velocity", "angle", "angular velocity"];
const BIN_HIGH = [2.4, 3, 0.21, 3]; // where the bins end, as in the study tabular_cartpole
const BIN_UNITS = ["m", "m/s", "rad", "rad/s"];
const MOST_BINS = 20;
const MOST_STEPS = 60000;

/** The bin, 0 to k - 1, of one number of a state; what is outside falls into the outermost. */
function binOf(value, high, k) {
  return Math.min(k - 1, Math.max(0, Math.trunc(((value + high) / (2 * high)) * k)));
}

/** The row of a state in the table, as `rl_lab.envs.Bins` counts: the first number runs fastest. */
function binRow(states, from, k) {
  let row = 0;
  for (let i = 3; i >= 0; i -= 1) row = row * k + binOf(states[from + i], BIN_HIGH[i], k);
  return row;
}

/**
 * Environment steps of a rule that pushes the cart below the pole, and of chance.
 * @param {number} chance probability that a push is drawn at random
 * @returns {{states: Float32Array, actions: Uint8Array, lengths: number[]}} `lengths` of the
 *   episodes that ended
 */
function playByRule(seed, chance, steps) {
  const random = makeRandom(seed);
  const states = new Float32Array(4 * steps);
  const actions = new Uint8Array(steps);
  const lengths = [];
  let state = CartPole.start(random);
  for (let t = 0, length = 0; t < steps; t += 1) {
    const [x, speed, angle, spin] = state;
    const guess = random.integer(2);
    const rule = angle + 0.3 * spin + 0.05 * x + 0.1 * speed > 0 ? 1 : 0;
    actions[t] = random.uniform() < chance ? guess : rule;
    states.set(state, 4 * t);
    state = CartPole.next(state, actions[t]);
    length += 1;
    if (CartPole.over(state) || length >= CartPole.stepLimit) {
      lengths.push(length);
      [state, length] = [CartPole.start(random), 0];
    }
  }
  return { states, actions, lengths };
}

/** How many of the 2 k^4 entries the first `steps` visit. */
function countVisited({ states, actions }, steps, k) {
  const seen = new Uint8Array(2 * k ** 4);
  let count = 0;
  for (let t = 0; t < steps; t += 1) {
    const entry = 2 * binRow(states, 4 * t, k) + actions[t];
    count += 1 - seen[entry];
    seen[entry] = 1;
  }
  return count;
}

/** The study's tables with a decaying learning rate, by k: returns and visited shares of its seeds. */
function readTables(view) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const [head, ...lines] = new TextDecoder().decode(bytes).trim().split("\n");
  const names = head.trim().split(",");
  const tables = new Map();
  for (const line of lines) {
    if (line.includes("fixed step")) continue; // the names of these arms hold a comma
    const cells = line.trim().split(",");
    const row = Object.fromEntries(names.map((name, i) => [name, cells[i]]));
    const k = Number(row.k);
    if (!tables.has(k)) tables.set(k, { k, returns: [], shares: [] });
    tables.get(k).returns.push(Number(row.return));
    tables.get(k).shares.push(Number(row.visited) / Number(row.entries));
  }
  return [...tables.values()].sort((a, b) => a.k - b.k);
}

/**
 * Draw what belongs to each k: a line, dots for seeds, diamonds for interquartile means.
 * The k of now is a vertical line, and its dots are filled.
 */
function drawByBins(context, box, colors, chart) {
  const { k, title, range, ticks, log = false, line, points, pointsLabel, middles = [] } = chart;
  const [left, right] = [box.x + 58, box.x + box.width - 12];
  const [top, bottom] = [box.y + 58, box.y + box.height - 36];
  const size = log ? Math.log : (value) => value;
  const px = (bins) => left + ((bins - 0.5) / MOST_BINS) * (right - left);
  const py = (value) => bottom - ((size(value) - size(range[0])) / (size(range[1]) - size(range[0]))) * (bottom - top);
  const write = (text, x, y, align = "center", style = colors.text) => {
    context.fillStyle = style;
    context.textAlign = align;
    context.fillText(text, x, y);
  };
  const path = (style, width, dash, ...corners) => {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.beginPath();
    for (const corner of corners) context.lineTo(...corner);
    context.stroke();
    context.setLineDash([]);
  };
  const dot = (x, y, filled) => {
    context.beginPath();
    context.arc(x, y, 3.2, 0, 2 * Math.PI);
    context.lineWidth = 1.3;
    context.strokeStyle = context.fillStyle = colors.series[1];
    if (filled) context.fill();
    context.stroke();
  };
  const diamond = (x, y) => {
    context.beginPath();
    for (const [dx, dy] of [[0, -6], [5, 0], [0, 6], [-5, 0]]) context.lineTo(x + dx, y + dy);
    context.closePath();
    context.fillStyle = colors.text;
    context.fill();
    context.strokeStyle = colors.background;
    context.lineWidth = 1.5;
    context.stroke();
  };
  context.textBaseline = "middle";
  context.font = `bold ${colors.font(12)}`;
  write(title, left, box.y + 10, "left");
  context.font = colors.font(12);
  for (const [value, text] of ticks) {
    path(colors.line, 1, [], [left, py(value)], [right, py(value)]);
    write(text, left - 6, py(value), "right");
  }
  for (const bins of [1, 5, 10, 15, 20]) write(String(bins), px(bins), bottom + 12);
  write("bins per number, k", (left + right) / 2, bottom + 28, "center", colors.muted);
  path(colors.text, 1, [4, 3], [px(k), top - 4], [px(k), bottom]);
  if (line) path(colors.series[0], 2, [], ...line.y.map((value, i) => [px(i + 1), py(value)]));
  for (const [bins, values] of points) for (const value of values) dot(px(bins), py(value), bins === k);
  for (const [bins, value] of middles) diamond(px(bins), py(value));
  const keys = [];
  if (line) keys.push([(x, y) => path(colors.series[0], 2, [], [x - 8, y], [x + 8, y]), line.label]);
  keys.push([(x, y) => dot(x, y, false), pointsLabel]);
  if (middles.length) keys.push([diamond, "mean of the middle half of the 10 seeds"]);
  keys.forEach(([draw, text], row) => {
    draw(left + 8, box.y + 27 + 16 * row);
    write(text, left + 24, box.y + 27 + 16 * row, "left");
  });
}

const percent = (share) => `${(100 * share).toFixed(share < 0.00995 ? 2 : 1)} %`;

function render({ model, el }) {
  const tables = readTables(model.get("assets")["tabular_cartpole.final"]);
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Add bins: how fast does the table grow, and what becomes of the share that is visited?",
      "Random pushes from 100 % to 0 %: does a player that balances visit more of the table, or less?",
      "Seed 1 instead of 0: how much of the picture was luck?",
    ],
  });
  const { root, say } = experiment;
  const NAMES = ["k", "chance", "steps", "pair", "seed"];
  const opening = Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));

  let play; // the environment steps
  let made = ""; // from which settings
  let curve; // visited shares for k = 1 .. MOST_BINS
  const compute = () => {
    const [seed, chance, steps] = [model.get("seed"), model.get("chance"), model.get("steps")];
    const wanted = `${seed} ${chance}`;
    if (made !== wanted) play = playByRule(seed, chance, MOST_STEPS);
    made = wanted;
    curve = Array.from({ length: MOST_BINS }, (_, i) => countVisited(play, steps, i + 1) / (2 * (i + 1) ** 4));
  };
  const lengths = () => {
    const kept = [];
    let sum = 0;
    for (const length of play.lengths) {
      sum += length;
      if (sum > model.get("steps")) break;
      kept.push(length);
    }
    return kept;
  };
  const axes = () => model.get("pair").split(" ").map(Number);

  const figures = makePair();
  const grid = makeCanvas(experiment, {
    parent: figures,
    label: "Grid of two of the four numbers: the bins that were visited, darker where more often",
    height: (width) => Math.min(width, 420) + 34,
    draw: (context, width, height, colors) => drawGrid(context, width, height, colors),
  });
  const charts = makeCanvas(experiment, {
    parent: figures,
    label: "Visited share of the table, and the return it earned, for each number of bins",
    height: () => 520,
    draw: (context, width, height, colors) => {
      const k = model.get("k");
      const half = height / 2;
      drawByBins(context, { x: 0, y: 0, width, height: half }, colors, {
        k,
        title: "share of entries visited",
        range: [1e-5, 1],
        ticks: [[1, "100 %"], [0.1, "10 %"], [0.01, "1 %"], [0.001, "0.1 %"], [0.0001, "0.01 %"]],
        log: true,
        line: { label: "by these environment steps", y: curve },
        points: tables.map((table) => [table.k, table.shares]),
        pointsLabel: "in the study, 10 seeds a size",
      });
      drawByBins(context, { x: 0, y: half, width, height: half }, colors, {
        k,
        title: "greedy return of the study's tables",
        range: [0, 520],
        ticks: [0, 100, 200, 300, 400, 500].map((value) => [value, String(value)]),
        points: tables.map((table) => [table.k, table.returns]),
        pointsLabel: "one seed",
        middles: tables.map((table) => [table.k, iqm(table.returns)]),
      });
    },
  });

  const drawGrid = (context, width, height, colors) => {
    const [across, up] = axes();
    const k = model.get("k");
    const counts = new Float64Array(k * k);
    for (let t = 0; t < model.get("steps"); t += 1) {
      const column = binOf(play.states[4 * t + across], BIN_HIGH[across], k);
      counts[binOf(play.states[4 * t + up], BIN_HIGH[up], k) * k + column] += 1;
    }
    const [left, bottom] = [44, height - 64];
    const size = Math.min(width - left - 8, bottom - 6);
    const cell = size / k;
    const most = Math.log1p(Math.max(...counts));
    counts.forEach((count, i) => {
      const [x, y] = [left + (i % k) * cell, bottom - (Math.floor(i / k) + 1) * cell];
      if (count) {
        context.fillStyle = heat(0.25 + (0.75 * Math.log1p(count)) / most, colors).fill;
        context.fillRect(x, y, cell, cell);
      } else if (cell > 5) {
        context.fillStyle = colors.line;
        context.fillRect(x + cell / 2 - 1, y + cell / 2 - 1, 2, 2);
      }
    });
    context.strokeStyle = colors.muted;
    context.lineWidth = 0.5;
    for (let i = 0; i <= k; i += 1) {
      context.beginPath();
      context.moveTo(left + i * cell, bottom - size);
      context.lineTo(left + i * cell, bottom);
      context.moveTo(left, bottom - i * cell);
      context.lineTo(left + size, bottom - i * cell);
      context.stroke();
    }
    context.font = colors.font(12);
    context.textBaseline = "middle";
    context.fillStyle = colors.text;
    [-1, 0, 1].forEach((share) => {
      const place = ((share + 1) / 2) * size;
      context.textAlign = share === 1 ? "right" : share ? "left" : "center";
      context.fillText(String(share * BIN_HIGH[across]), left + place, bottom + 11);
      context.textAlign = "right";
      context.fillText(String(share * BIN_HIGH[up]), left - 5, bottom - place + 6 * share);
    });
    context.fillStyle = colors.muted;
    context.textAlign = "center";
    context.fillText(`${BIN_NAMES[across]}, ${BIN_UNITS[across]}`, left + size / 2, bottom + 27);
    context.save();
    context.translate(9, bottom - size / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(`${BIN_NAMES[up]}, ${BIN_UNITS[up]}`, 0, 0);
    context.restore();
    drawHeatScale(context, { x: left, y: height - 12, width: size }, colors, ["dot: never; few visits", "many"]);
  };

  const refresh = (now = false) => {
    grid.redraw();
    charts.redraw();
    const k = model.get("k");
    const entries = 2 * k ** 4;
    const share = curve[k - 1];
    const ended = lengths();
    const mean = ended.length ? ended.reduce((sum, length) => sum + length, 0) / ended.length : NaN;
    const table = tables.find((one) => one.k === k);
    const earned = table
      ? `The study's tables of this size earned ${iqm(table.returns).toFixed(0)} ` +
        `(mean of the middle half; seeds ${Math.min(...table.returns).toFixed(0)} to ${Math.max(...table.returns).toFixed(0)}).`
      : `The study has no table of this size; it has k = ${tables.map((one) => one.k).join(", ")}.`;
    say(
      `k = ${k}: ${entries.toLocaleString("en")} entries. ` +
        `${model.get("steps").toLocaleString("en")} environment steps, mean return ${mean.toFixed(0)}, visit ` +
        `${Math.round(share * entries).toLocaleString("en")} of them, ${percent(share)}. ${earned}`,
      now,
    );
    model.set("state", { entries, visited: Math.round(share * entries) });
    model.save_changes();
  };

  const change = (name) => (value) => {
    model.set(name, value);
    model.save_changes();
  };
  const controls = {
    k: makeRange({ label: "Bins per number, k", min: 1, max: MOST_BINS, step: 1, value: opening.k, onInput: change("k") }),
    chance: makeRange({
      label: "Random pushes",
      min: 0,
      max: 1,
      step: 0.05,
      value: opening.chance,
      format: (value) => `${toDigits(100 * value, 0)} %`,
      onInput: change("chance"),
    }),
    steps: makeRange({
      label: "Environment steps",
      min: 1000,
      max: MOST_STEPS,
      step: 1000,
      value: opening.steps,
      format: (value) => value.toLocaleString("en"),
      onInput: change("steps"),
    }),
    pair: makeSelect({
      label: "Numbers in the picture",
      value: opening.pair,
      options: [["2 3", "angle and angular velocity"], ["0 1", "position and velocity"], ["0 2", "position and angle"], ["1 3", "both velocities"]],
      onInput: change("pair"),
    }),
    seed: makeRange({ label: "Seed", min: 0, max: Math.max(20, opening.seed), step: 1, value: opening.seed, onInput: change("seed") }),
  };
  const reset = makeButton({
    label: "Reset",
    onClick: () => {
      for (const [name, value] of Object.entries(opening)) model.set(name, value);
      model.save_changes();
    },
  });
  root.append(
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    make("div", { class: "rl-bar" }, reset),
    figures,
  );
  compute();
  refresh(true);
  root.append(
    make("p", {
      class: "rl-note",
      text:
        "A push that is not random follows a rule made by hand, which balances the pole. An entry is a bin of all " +
        "four numbers and an action; the picture shows two of the numbers, so far more of it is filled.",
    }),
  );

  const events = NAMES.map((name) => [
    `change:${name}`,
    () => {
      controls[name].set(model.get(name));
      if (name !== "k" && name !== "pair") compute();
      refresh();
    },
  ]);
  for (const [name, follow] of events) model.on(name, follow);
  experiment.onDestroy(() => events.forEach(([name, follow]) => model.off(name, follow)));
  return experiment.destroy;
}

export default { render };
