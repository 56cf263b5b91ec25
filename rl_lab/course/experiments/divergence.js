// needs: pair.js
// The two-state example: features 1 and 2, rewards 0, one weight, expected semi-gradient updates.

const UPDATES = 1000;
const [LOWEST, HIGHEST] = [-9, 13]; // powers of ten on the axis, as in the chapter's figure

/** How much the two states count. An agent visits state 1 once and state 2 1 / epsilon times. */
function stateWeights(weighting, epsilon) {
  return weighting === "uniform" ? [0.5, 0.5] : [epsilon / (1 + epsilon), 1 / (1 + epsilon)];
}

/** The mean TD errors of the states 1 and 2, and the expected update of the weight. */
function twoStateUpdate(w, target, { gamma, epsilon, alpha, weighting }) {
  const [first, second] = stateWeights(weighting, epsilon);
  const errors = [gamma * 2 * target - w, gamma * (1 - epsilon) * 2 * target - 2 * w];
  return { errors, change: alpha * (first * errors[0] * 1 + second * errors[1] * 2) };
}

/** The weight after 0, 1, ... updates from 1, and the target that each update used. */
function twoStateRun(settings, updates = UPDATES) {
  const weights = [1];
  const targets = [];
  for (let i = 0; i < updates; i += 1) {
    targets.push(i % settings.targetPeriod === 0 ? weights[i] : targets[i - 1]);
    weights.push(weights[i] + twoStateUpdate(weights[i], targets[i], settings).change);
  }
  return { weights, targets };
}

/**
 * The run in closed form. An update is w + alpha (pull * gamma * target - hold * w), so a period
 * multiplies the weight by `period`, which is, spread over its updates, `factor` in size.
 */
function twoStateGrowth({ gamma, epsilon, alpha, weighting, targetPeriod }) {
  const [first, second] = stateWeights(weighting, epsilon);
  const hold = first + 4 * second;
  const pull = 2 * first + 4 * second * (1 - epsilon);
  const kept = (1 - alpha * hold) ** targetPeriod;
  const period = kept + ((gamma * pull) / hold) * (1 - kept);
  return { hold, pull, kept, period, factor: Math.abs(period) ** (1 / targetPeriod), threshold: hold / pull };
}

/** A power of ten on an axis: 10 with a raised exponent. */
const tenTo = (power) => `10${[...String(power)].map((c) => (c === "-" ? "\u207b" : "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[c])).join("")}`;

/** 4.5e+11 in the words of a page: 4.5 x 10^11; what is near 1 stays as it is. */
function powerOfTen(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 0.001 && size < 10000)) return value.toPrecision(4);
  const [digits, power] = value.toExponential(1).split("e");
  return `${digits} x 10^${Number(power)}`;
}

function render({ model, el }) {
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Move gamma from 0.99 down to 0.85: where does the line turn?",
      "Then halve the learning rate at gamma 0.99: does it help, or does it only take longer?",
      "Target period 100: is a target that holds still a cure?",
    ],
  });
  const { root, say } = experiment;
  const PROPERTIES = { gamma: "gamma", epsilon: "epsilon", alpha: "alpha", weighting: "weighting", targetPeriod: "target_period" };
  const NAMES = [...Object.values(PROPERTIES), "update"];
  const opening = Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));
  const settings = () => Object.fromEntries(Object.entries(PROPERTIES).map(([key, name]) => [key, model.get(name)]));

  let run;
  let growth;
  const compute = () => {
    run = twoStateRun(settings());
    growth = twoStateGrowth(settings());
  };
  const power = (value) =>
    Math.min(HIGHEST + 1, Math.max(LOWEST - 1, value === 0 ? -Infinity : Math.log10(Math.abs(value))));
  const steps = Array.from({ length: UPDATES + 1 }, (_, i) => i);

  const figures = makePair();
  const weight = makeCanvas(experiment, {
    parent: figures,
    label: "Size of the weight over updates, on a log scale",
    height: () => 340,
    draw: (context, width, height, colors) => {
      const now = settings();
      const at = model.get("update");
      const y = run.weights.map(power);
      const series = [{ label: `gamma ${toDigits(now.gamma, 3)}, period ${now.targetPeriod}`, x: steps.slice(0, at + 1), y: y.slice(0, at + 1), style: 0 }];
      if (now.targetPeriod > 1) {
        const plain = twoStateRun({ ...now, targetPeriod: 1 }).weights;
        series.push({ label: "the same with period 1", x: steps, y: plain.map(power), style: 1 });
      }
      series.push({ x: steps, y, style: 0, faint: true });
      drawLines(context, { x: 0, y: 0, width, height }, colors, {
        series,
        xLabel: "updates",
        yLabel: "|w|",
        yText: tenTo,
        xRange: [0, UPDATES],
        yRange: [LOWEST, HIGHEST],
        marks: [{ y: 0, label: "w = 1, the start" }],
      });
    },
  });
  const factor = makeCanvas(experiment, {
    parent: figures,
    label: "Factor per update over gamma, and the threshold where it passes 1",
    height: () => 340,
    draw: (context, width, height, colors) => {
      const now = settings();
      const x = Array.from({ length: 101 }, (_, i) => 0.5 + i / 200);
      const y = x.map((gamma) => twoStateGrowth({ ...now, gamma }).factor);
      const low = Math.min(0.99, ...y);
      const high = Math.max(1.005, ...y);
      const yRange = [low, high];
      const series = [{ label: "factor per update", x, y, style: 0 }];
      const { threshold } = growth;
      if (threshold <= 1)
        series.push({ label: `threshold, gamma ${threshold.toFixed(3)}`, x: [threshold, threshold], y: yRange, style: 1 });
      series.push({ label: `here ${growth.factor.toFixed(4)}`, x: [now.gamma, now.gamma], y: [low, growth.factor], style: 2 });
      drawLines(context, { x: 0, y: 0, width, height }, colors, {
        series,
        xLabel: "gamma",
        yLabel: "factor per update",
        xRange: [0.5, 1],
        yRange,
        marks: [{ y: 1, label: "" }],
      });
    },
  });

  const hand = make("p", { class: "rl-note" });
  const showHand = () => {
    const { gamma, epsilon, alpha, weighting, targetPeriod } = settings();
    const { hold, pull, kept, period, threshold } = growth;
    const short = (value) => Number(value.toPrecision(4));
    const uniform = weighting === "uniform";
    const limit = uniform
      ? `5 / (6 - 4 x ${short(epsilon)}) = ${threshold.toFixed(3)}`
      : `${short(hold)} / ${short(pull)} = ${threshold.toFixed(3)}`;
    const inside = uniform
      ? `1 + ${short(alpha)}/2 x [(6 - 4 x ${short(epsilon)}) x ${short(gamma)} - 5]`
      : `1 + ${short(alpha)} x [${short(pull)} x ${short(gamma)} - ${short(hold)}]`;
    const plain = 1 + alpha * (pull * gamma - hold);
    const formula =
      targetPeriod === 1
        ? `Factor by hand: ${inside} = ${plain.toFixed(4)}.`
        : `Factor by hand: with k = (1 - ${short(alpha)} x ${short(hold)})^${targetPeriod} = ${powerOfTen(kept)}, a period of ` +
          `${targetPeriod} updates multiplies w by k + ${short((gamma * pull) / hold)} x (1 - k) = ${powerOfTen(period)}: spread evenly, ` +
          `by ${growth.factor.toFixed(4)} per update.`;
    hand.textContent = `${formula} Threshold of gamma: ${limit}${threshold > 1 ? ", beyond every discount" : ""}.`;
  };
  const refresh = (now = false) => {
    weight.redraw();
    factor.redraw();
    showHand();
    const at = model.get("update");
    const w = run.weights[at];
    const fate = growth.factor > 1 + 1e-9 ? "grows without bound" : growth.factor < 1 - 1e-9 ? "decays" : "stays as it is";
    const parts = [`After ${at.toLocaleString("en")} ${at === 1 ? "update" : "updates"} w = ${powerOfTen(w)}`, `factor ${growth.factor.toFixed(4)} per update: the weight ${fate}`];
    let next = "";
    if (at < UPDATES) {
      const { errors, change } = twoStateUpdate(w, run.targets[at], settings());
      next =
        ` The next update: target weight ${powerOfTen(run.targets[at])}, TD errors ${errors.map(powerOfTen).join(" and ")}, ` +
        `so w moves by ${powerOfTen(change)}.`;
    }
    const outside = run.weights.some((value) => Math.abs(value) > 10 ** HIGHEST) ? " The line leaves the chart at the top." : "";
    say(`${parts.join("; ")}.${next}${outside}`, now);
    model.set("state", { weight: w, factor: growth.factor, threshold: growth.threshold });
    save();
  };

  const save = () => bar.playing() || model.save_changes(); // not sixty times a second to a kernel
  const change = (name) => (value) => {
    model.set(name, value);
    save();
  };
  const range = (name, label, min, max, step, format) =>
    makeRange({ label, min, max, step, value: opening[name], format, onInput: change(name) });
  const digits = (n) => (value) => toDigits(value, n);
  const controls = {
    gamma: range("gamma", "Discount gamma", 0.5, 1, 0.001, digits(3)),
    epsilon: range("epsilon", "End of episode epsilon", 0, 1, 0.01, digits(2)),
    alpha: range("alpha", "Learning rate alpha", 0.01, 0.4, 0.01, digits(2)),
    target_period: range("target_period", "Target period, updates", 1, 500, 1),
    weighting: makeSelect({
      label: "Weighting of the states",
      value: opening.weighting,
      options: [["uniform", "uniform: half and half"], ["visited", "as an agent visits them"]],
      onInput: change("weighting"),
    }),
    update: range("update", "Read at update", 0, UPDATES, 1, (value) => value.toLocaleString("en")),
  };
  const move = (to) => change("update")(Math.min(UPDATES, to));
  const tally = makeTally();
  const bar = makePlayBar(experiment, {
    frame: (seconds) => {
      const count = tally(200 * seconds);
      if (count) move(model.get("update") + count);
      if (model.get("update") >= UPDATES) bar.pause();
    },
    step: () => move(model.get("update") >= UPDATES ? 0 : model.get("update") + 1),
    reset: () => {
      for (const [name, value] of Object.entries(opening)) model.set(name, value);
      model.save_changes();
    },
    onChange: (playing) => {
      if (playing && model.get("update") >= UPDATES) move(0);
      save();
    },
    names: { step: "One update" },
  });
  root.append(
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    bar.element,
    figures,
    hand,
  );
  compute();
  refresh(true);

  const events = NAMES.map((name) => [
    `change:${name}`,
    () => {
      controls[name].set(model.get(name));
      if (name !== "update") compute();
      refresh();
    },
  ]);
  for (const [name, follow] of events) model.on(name, follow);
  experiment.onDestroy(() => events.forEach(([name, follow]) => model.off(name, follow)));
  return experiment.destroy;
}

export default { render };
