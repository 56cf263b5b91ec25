// needs: panels.js
// Noisy estimates of action values: the largest of one set, and a second estimate of that action.

/** Two estimates of every action: the first is worth `lead`, the others 0; errors are uniform. */
function drawEstimates({ actions, lead, noise, shared }, random) {
  const draw = { choose: [], value: [] };
  for (let i = 0; i < actions; i += 1) {
    const truth = i === 0 ? lead : 0;
    const error = random.uniform(-noise, noise);
    const own = random.uniform(-noise, noise);
    draw.choose.push(truth + error);
    draw.value.push(truth + shared * error + (1 - shared) * own);
  }
  return draw;
}

/** The action that the first set prefers, its estimate there, and the second estimate of it. */
function judgeEstimates({ choose, value }) {
  const largest = Math.max(...choose);
  const chosen = choose.indexOf(largest);
  return { chosen, largest, second: value[chosen] };
}

/** What is expected of both, and how often the first action is chosen, by the midpoint rule. */
function expectedEstimates({ actions, lead, noise, shared }, parts = 4000) {
  const below = (x) => Math.min(1, Math.max(0, (x + noise) / (2 * noise))); // P(error < x)
  const mean = (f, low, high) => {
    let sum = 0;
    for (let i = 0; i < parts; i += 1) sum += f(low + ((i + 0.5) / parts) * (high - low));
    return sum / parts;
  };
  const [low, high] = [-noise, lead + noise];
  const allBelow = mean((x) => below(x - lead) * below(x) ** (actions - 1), low, high);
  const largest = high - allBelow * (high - low);
  const right = mean((error) => below(lead + error) ** (actions - 1), -noise, noise);
  return { largest, right, second: lead * right + shared * (largest - lead * right) };
}

function render({ model, el }) {
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Draw many with 10 actions, then with 2. Which mean moves, and which does not?",
      "Lead 0.5, 2 actions: now both means miss the truth. In which direction, and by how much?",
      "Let the two sets share half of their errors, then all.",
    ],
  });
  const { root, say } = experiment;
  const put = writeInputs(model);
  const settings = () =>
    Object.fromEntries(["actions", "lead", "noise", "shared"].map((name) => [name, model.get(name)]));

  let random;
  let draw;
  let expected;
  let sums;
  let means; // {draws, largest, second}, lists over the draws so far
  const take = () => {
    draw = drawEstimates(settings(), random);
    const { largest, second } = judgeEstimates(draw);
    sums = [sums[0] + largest, sums[1] + second];
    const n = means.draws.length + 1;
    means.draws.push(n);
    means.largest.push(sums[0] / n);
    means.second.push(sums[1] / n);
  };
  const restart = () => {
    random = makeRandom(model.get("seed"));
    expected = expectedEstimates(settings());
    sums = [0, 0];
    means = { draws: [], largest: [], second: [] };
    take();
    refresh(true);
  };

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "Left, two estimates of each action in the latest draw; right, means over all draws",
    height: (width) => (width < 600 ? 620 : 350),
    draw: (context, width, height, colors) => {
      const top = drawKey(context, width, colors, [
        { label: "first estimate; the largest chooses", look: 1, dash: [] },
        { label: "second estimate", look: 0, dash: [7, 4] },
        { label: "truth", look: 0, color: colors.text, dash: [2, 3] },
      ]);
      const [one, many] = makePanels(width, height, 2, top);
      drawOne(context, one, colors);
      drawMany(context, many, colors);
    },
  });
  const yRange = () => {
    const { lead, noise } = settings();
    return [-noise - 0.1, lead + noise + 0.1];
  };
  const drawOne = (context, box, colors) => {
    const { actions, lead } = settings();
    const ticks = Array.from({ length: actions }, (_, i) => i + 1).filter((i) => actions < 11 || i % 5 === 0 || i === 1);
    const axes = openAxes(context, box, colors, {
      title: "The latest draw",
      xLabel: "action",
      yLabel: "value",
      xRange: [0.3, actions + 0.7],
      yRange: yRange(),
      xTicks: ticks,
    });
    const { chosen } = judgeEstimates(draw);
    draw.choose.forEach((estimate, i) => {
      const truth = i === 0 ? lead : 0;
      axes.line([i + 0.6, i + 1.4], [truth, truth], 0, { color: colors.text, dash: [2, 3], thin: true });
      axes.dot(i + 1, draw.value[i], 0, { hollow: true, size: i === chosen ? 6 : 4 });
      axes.dot(i + 1, estimate, 1, { size: i === chosen ? 6 : 3 });
    });
    const pair = [draw.choose[chosen], draw.value[chosen]];
    axes.line([chosen + 1, chosen + 1], pair, 0, { color: colors.text, dash: [], thin: true });
  };
  const drawMany = (context, box, colors) => {
    const last = Math.max(50, means.draws.length);
    const axes = openAxes(context, box, colors, {
      title: "Means over all draws",
      xLabel: "draws",
      yLabel: "mean",
      xRange: [0, last],
      yRange: yRange(),
    });
    const ends = [0, last];
    const lead = model.get("lead");
    axes.line(ends, [lead, lead], 0, { color: colors.text, dash: [2, 3], thin: true });
    for (const [name, look] of [["largest", 1], ["second", 0]]) {
      axes.line(ends, [expected[name], expected[name]], look, { thin: true, dash: [1, 4] });
      axes.line(means.draws, means[name], look, { dash: look ? [] : [7, 4] });
      axes.dot(means.draws.length, means[name].at(-1), look, { size: 4, hollow: !look });
    }
  };

  const refresh = (now = false) => {
    redraw();
    const n = means.draws.length;
    const [largest, second] = [means.largest.at(-1), means.second.at(-1)];
    const number = (value) => (Math.abs(value) < 0.005 ? 0 : value).toFixed(2);
    say(
      `${n.toLocaleString("en")} ${n === 1 ? "draw" : "draws"}: the largest estimate averages ${number(largest)} ` +
        `(expected ${number(expected.largest)}), the second estimate of the same action ${number(second)} ` +
        `(expected ${number(expected.second)}); the best action is worth ${number(model.get("lead"))}.`,
      now,
    );
    model.set("state", { draws: n, largest, second });
    if (!bar.playing()) model.save_changes();
  };
  const range = (name, label, min, max, step, format) =>
    makeRange({ label, min, max, step, value: model.get(name), format, onInput: put(name) });
  const digits = (n) => (value) => toDigits(value, n);
  const controls = {
    actions: range("actions", "Actions", 2, 20, 1),
    lead: range("lead", "Lead of the first action", 0, 2, 0.1, digits(1)),
    noise: range("noise", "Noise: largest error", 0.1, 2, 0.1, digits(1)),
    shared: range("shared", "Share of errors in common", 0, 1, 0.1, digits(1)),
    seed: range("seed", "Seed of the draws", 0, Math.max(50, model.get("seed")), 1),
  };
  const recall = followInputs(experiment, model, controls, restart);
  const tally = makeTally();
  const bar = makePlayBar(experiment, {
    names: { play: "Draw many", step: "Draw once" },
    frame: (seconds) => {
      const rate = Math.min(400, 20 + means.draws.length); // slowly at first
      for (let count = tally(seconds * rate); count > 0; count -= 1) take();
      if (means.draws.length >= 4000) bar.pause();
      refresh();
    },
    step: () => {
      take();
      refresh(true);
    },
    reset: () => {
      recall();
      restart();
    },
    onChange: () => model.save_changes(),
  });
  root.append(
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    bar.element,
    figure,
  );
  restart();
  return experiment.destroy;
}

export default { render };
