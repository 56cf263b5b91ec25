// needs: cartpole.js panels.js
// A ring of CartPole transitions fills; minibatches in a row and drawn from it are compared.

const MOST_RING_STEPS = 20000; // of a run
const RING_FEATURES = ["cart position", "cart velocity", "pole angle", "angular velocity"];

/** The last `capacity` items: number i, counted from 0, is written to slot i mod capacity. */
class Ring {
  constructor(capacity) {
    Object.assign(this, { capacity, items: [], pushed: 0 });
  }

  push(item) {
    this.items[this.pushed % this.capacity] = item;
    this.pushed += 1;
  }

  get size() {
    return this.items.length;
  }

  /** Slots drawn uniformly, with replacement. */
  draw(batch, random) {
    return Array.from({ length: batch }, () => random.integer(this.size));
  }

  /** A ring of another capacity with the newest of these items. */
  resized(capacity) {
    const other = new Ring(capacity);
    const kept = Math.min(this.size, capacity);
    for (let i = this.pushed - kept; i < this.pushed; i += 1) other.push(this.items[i % this.capacity]);
    return other;
  }

  /** Environment steps since a slot was written; 0 is the newest. */
  age(slot) {
    return (this.pushed - 1 - slot + this.capacity) % this.capacity;
  }
}

/** What is known of minibatches [rows of 4 numbers]: correlations of their rows, and their means. */
class MinibatchStatistics {
  /** @param {number} lags distances in the minibatch, 1 to `lags` */
  constructor(lags) {
    this.sums = Array.from({ length: 4 }, () => Array.from({ length: lags }, () => [0, 0, 0, 0, 0, 0]));
    this.means = []; // of each minibatch, by feature
  }

  add(rows) {
    this.sums.forEach((byLag, feature) =>
      byLag.forEach((sums, i) => {
        for (let row = 0; row + i + 1 < rows.length; row += 1) {
          const [x, y] = [rows[row][feature], rows[row + i + 1][feature]];
          [1, x, y, x * x, y * y, x * y].forEach((term, t) => (sums[t] += term));
        }
      }),
    );
    this.means.push([0, 1, 2, 3].map((f) => rows.reduce((sum, row) => sum + row[f], 0) / rows.length));
  }

  /** Correlation of a feature in rows `lag` apart in the same minibatch. */
  correlation(feature, lag) {
    const [n, x, y, xx, yy, xy] = this.sums[feature][lag - 1];
    return (n * xy - x * y) / Math.sqrt((n * xx - x * x) * (n * yy - y * y));
  }

  /** How many independent transitions a minibatch is worth: the variance over that of the means. */
  worth(feature, variance) {
    return variance / populationVariance(this.means.map((mean) => mean[feature]));
  }
}

/** The variance of a list about its mean. */
function populationVariance(list) {
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  return list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length;
}

/** Expected share of draws of each age, over minibatches drawn when `sizes` were stored. */
function expectedAges(sizes, edges) {
  return edges.slice(1).map((to, i) => {
    const share = (size) => Math.max(0, Math.min(to, size) - edges[i]) / size;
    return sizes.reduce((sum, size) => sum + share(size), 0) / sizes.length;
  });
}

function render({ model, el }) {
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Press Play. Each time as many environment steps have passed as a minibatch has rows, one is drawn.",
      "What do a smaller capacity and a larger one do to the ages, and to what the drawn rows are worth? A ring of another size keeps the newest transitions, and measuring begins anew.",
    ],
  });
  const { root, say } = experiment;
  const put = writeInputs(model);
  const opening = 420; // environment steps that the first picture has behind it

  let random;
  let sampling;
  let ring;
  let state;
  let length;
  let episode;
  let recent; // states since the last minibatch
  let drawn; // slots of the last minibatch
  let ages;
  let sizes; // stored transitions at each draw
  let seen; // states so far
  let inARow;
  let shuffled;
  let pending;

  const feature = () => RING_FEATURES.indexOf(model.get("feature"));
  const lags = () => Math.min(24, model.get("batch") - 1);
  const begin = () => {
    random = makeRandom(2 * model.get("seed"));
    sampling = makeRandom(2 * model.get("seed") + 1);
    ring = new Ring(model.get("capacity"));
    state = CartPole.start(random);
    [length, episode, pending, seen] = [0, 0, 0, []];
    forgetDraws();
  };
  const forgetDraws = () => {
    [recent, drawn, ages, sizes] = [[], [], [], []];
    [inARow, shuffled] = [new MinibatchStatistics(lags()), new MinibatchStatistics(lags())];
  };
  const resize = () => {
    ring = ring.resized(model.get("capacity"));
    forgetDraws();
    refresh(true);
  };
  const ended = () => seen.length >= MOST_RING_STEPS;
  const advance = () => {
    if (ended()) return;
    ring.push({ state, episode });
    recent.push(state);
    seen.push(state);
    state = CartPole.next(state, random.integer(2));
    length += 1;
    if (CartPole.over(state) || length >= CartPole.stepLimit) {
      state = CartPole.start(random);
      [length, episode] = [0, episode + 1];
    }
    if (recent.length < model.get("batch")) return;
    inARow.add(recent);
    drawn = ring.draw(model.get("batch"), sampling);
    shuffled.add(drawn.map((slot) => ring.items[slot].state));
    ages.push(...drawn.map((slot) => ring.age(slot)));
    sizes.push(ring.size);
    recent = [];
  };

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "A ring of transitions with the drawn slots marked; correlation within minibatches; ages of the draws",
    height: (width) => (width < 600 ? 820 : 640),
    draw: (context, width, height, colors) => {
      const entries = [
        { label: "in a row", look: 1 },
        { label: "drawn", look: 0, dash: [] },
        { label: "expected", look: 0, thin: true, dash: [3, 3], color: colors.text },
      ];
      const tall = width < 600 ? 320 : 330;
      drawRing(context, { x: 0, y: 0, width, height: tall }, colors);
      context.save();
      context.translate(0, tall);
      const top = drawKey(context, width, colors, entries);
      const [left, right] = makePanels(width, height - tall, 2, top);
      drawCorrelation(context, left, colors);
      drawAges(context, right, colors);
      context.restore();
    },
  });
  const drawRing = (context, box, colors) => {
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const outer = Math.min(box.width, box.height) / 2 - 22;
    const inner = outer * 0.72;
    const n = ring.capacity;
    const angle = (slot) => -Math.PI / 2 + (2 * Math.PI * slot) / n;
    const arc = (from, to, fill) => {
      context.beginPath();
      context.arc(x, y, outer, angle(from), angle(to));
      context.arc(x, y, inner, angle(to), angle(from), true);
      context.closePath();
      context.fillStyle = fill;
      context.fill();
    };
    arc(0, n, colors.surface);
    // An episode is a block of neighbouring slots; blocks take turns in strength.
    for (let slot = 0; slot < ring.size; ) {
      let end = slot + 1;
      while (end < ring.size && ring.items[end].episode === ring.items[slot].episode) end += 1;
      context.globalAlpha = ring.items[slot].episode % 2 ? 0.5 : 0.22;
      arc(slot, end, colors.series[0]);
      slot = end;
    }
    context.globalAlpha = 1;
    context.strokeStyle = colors.series[0];
    context.fillStyle = colors.series[0];
    context.lineWidth = 1.5;
    for (const slot of drawn) {
      const turn = angle(slot + 0.5);
      const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
      context.beginPath();
      context.moveTo(x + inner * cos, y + inner * sin);
      context.lineTo(x + (outer + 4) * cos, y + (outer + 4) * sin);
      context.stroke();
      context.beginPath();
      context.arc(x + (outer + 7) * cos, y + (outer + 7) * sin, 3, 0, 2 * Math.PI);
      context.fill();
    }
    const next = angle(ring.pushed % n);
    context.strokeStyle = colors.series[1];
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(x + (inner - 26) * Math.cos(next), y + (inner - 26) * Math.sin(next));
    context.lineTo(x + outer * Math.cos(next), y + outer * Math.sin(next));
    context.stroke();
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = colors.text;
    context.font = colors.font(19);
    context.fillText(`${ring.size.toLocaleString("en")} of ${n.toLocaleString("en")} slots`, x, y - 26);
    context.font = colors.font(13);
    context.fillStyle = colors.muted;
    const episodes = new Set(ring.items.map((item) => item.episode)).size;
    context.fillText(`from ${episodes} ${episodes === 1 ? "episode" : "episodes"} (shades)`, x, y);
    context.fillText(drawn.length ? `dots: the ${drawn.length} drawn` : "nothing drawn yet", x, y + 20);
    context.fillText("long hand: written next", x, y + 40);
  };
  const drawCorrelation = (context, box, colors) => {
    const distances = Array.from({ length: lags() }, (_, i) => i + 1);
    const axes = openAxes(context, box, colors, {
      title: `Rows of a minibatch: ${model.get("feature")}`,
      xLabel: "distance in the minibatch (rows)",
      yLabel: "correlation",
      xRange: [0, Math.max(2, lags()) + 0.5],
      yRange: [-0.5, 1],
    });
    axes.line([0, lags() + 1], [0, 0], 0, { color: colors.muted, dash: [], thin: true });
    if (!ages.length) return;
    axes.line(distances, distances.map((k) => inARow.correlation(feature(), k)), 1);
    axes.line(distances, distances.map((k) => shuffled.correlation(feature(), k)), 0, { dash: [] });
    axes.dot(1, inARow.correlation(feature(), 1), 1);
    axes.dot(1, shuffled.correlation(feature(), 1), 0);
  };
  const drawAges = (context, box, colors) => {
    const oldest = Math.min(ring.capacity, Math.max(100, seen.length));
    const edges = Array.from({ length: 21 }, (_, i) => (oldest * i) / 20);
    const shares = edges.slice(1).map(() => 0);
    for (const age of ages) shares[Math.min(19, Math.floor((20 * age) / oldest))] += 1 / ages.length;
    const expected = sizes.length ? expectedAges(sizes, edges) : [];
    const axes = openAxes(context, box, colors, {
      title: "Age of what was drawn",
      xLabel: "age (environment steps)",
      yLabel: "share of draws",
      xRange: [0, oldest],
      yRange: [0, Math.max(0.1, ...shares, ...expected) * 1.1],
    });
    axes.bars(edges, shares, 0);
    const x = expected.flatMap((_, i) => [edges[i], edges[i + 1]]);
    const look = { color: colors.text, dash: [3, 3], thin: true };
    axes.line(x, expected.flatMap((share) => [share, share]), 0, look);
  };

  const table = make("table");
  const numbers = make("div", { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "What the minibatches are worth" }, table);
  const known = (value) => (Number.isFinite(value) ? value.toFixed(2) : "-");
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const refresh = (now = false) => {
    redraw();
    const batch = model.get("batch");
    const variance = populationVariance(seen.map((each) => each[feature()]));
    const row = (name, of, age) => [
      name,
      known(of.correlation(feature(), 1)),
      of.means.length >= 5 ? of.worth(feature(), variance).toFixed(1) : "after 5",
      age,
    ];
    const old = ages.length ? mean(ages).toFixed(1) : "-";
    fillTable(
      table,
      ["minibatches", "correlation of neighbours", `${batch} rows are worth`, "mean age"],
      [row("in a row", inARow, ((batch - 1) / 2).toFixed(1)), row("drawn", shuffled, old)],
    );
    const parts = [
      `Environment step ${seen.length.toLocaleString("en")}, episode ${episode + 1}`,
      `${ring.size.toLocaleString("en")} of ${ring.capacity.toLocaleString("en")} slots filled`,
      `${sizes.length} ${sizes.length === 1 ? "minibatch" : "minibatches"} of ${batch} drawn`,
    ];
    const ends = ages.length
      ? ` Neighbours in the minibatch correlate at ${known(inARow.correlation(feature(), 1))} in a row, ` +
        `${known(shuffled.correlation(feature(), 1))} drawn; mean age of the draws ${old} environment steps.`
      : "";
    const end = ended()
      ? ` The run ends at ${MOST_RING_STEPS.toLocaleString("en")} environment steps; press Reset.`
      : "";
    say(`${parts.join(", ")}.${ends}${end}`, now);
    model.set("state", { env_steps: seen.length, minibatches: sizes.length });
    if (!bar.playing()) model.save_changes(); // not sixty times a second to a kernel
  };
  const empty = () => {
    begin();
    refresh(true);
  };
  const open = () => {
    begin();
    while (seen.length < opening) advance();
    refresh(true);
  };

  const controls = {
    capacity: makeChoice({ label: "Capacity N", values: [50, 100, 300, 500, 1000, 10000], value: model.get("capacity"), onInput: put("capacity") }),
    batch: makeRange({ label: "Batch size", min: 2, max: 128, step: 1, value: model.get("batch"), onInput: put("batch") }),
    feature: makeSelect({
      label: "Feature",
      value: model.get("feature"),
      options: RING_FEATURES.map((name) => [name, name]),
      onInput: put("feature"),
    }),
    speed: makeChoice({ label: "Environment steps per second", values: [5, 50, 200, 1000], value: model.get("speed"), onInput: put("speed") }),
    seed: makeRange({ label: "Seed", min: 0, max: Math.max(50, model.get("seed")), step: 1, value: model.get("seed"), onInput: put("seed") }),
  };
  const recall = followInputs(experiment, model, controls, (name) => {
    if (name === "feature") refresh(true);
    else if (name === "seed") open();
    else if (name !== "speed") resize();
  });
  const bar = makePlayBar(experiment, {
    frame: (seconds) => {
      pending += seconds * model.get("speed");
      for (; pending >= 1; pending -= 1) advance();
      refresh();
      if (ended()) bar.pause();
    },
    step: () => {
      advance();
      refresh(true);
    },
    reset: () => {
      recall();
      open();
    },
    onChange: (playing) => playing || model.save_changes(),
  });
  bar.element.append(makeButton({ label: "Empty the ring", onClick: empty }));
  root.append(
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    bar.element,
    figure,
  );
  open();
  root.append(numbers);
  return experiment.destroy;
}

export default { render };
