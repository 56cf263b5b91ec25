// needs: network.js panels.js lander.js
// Stored flights of a lander that learned the distribution of its return, step by step.

/** What a flight returned from each environment step on, discounted. */
function returnsFrom(rewards, gamma) {
  const list = Array.from(rewards);
  for (let i = list.length - 2; i >= 0; i -= 1) list[i] += gamma * list[i + 1];
  return list;
}

/** Mean and standard deviation of a distribution over atoms. */
function momentsOf(probabilities, atoms) {
  const sum = (f) => atoms.reduce((total, z, i) => total + probabilities[i] * f(z), 0);
  const mean = sum((z) => z);
  return { mean, deviation: Math.sqrt(sum((z) => (z - mean) ** 2)) };
}

function render({ model, el }) {
  const { tensors, metadata } = readSafetensors(model.get("assets").lander_distribution);
  const { flights, v_min: low, v_max: high, n_atoms: n, gamma } = JSON.parse(metadata.manifest);
  const spacing = (high - low) / (n - 1);
  const atoms = Array.from({ length: n }, (_, i) => low + i * spacing);
  const edges = Array.from({ length: n + 1 }, (_, i) => low + (i - 0.5) * spacing);
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Move through the crash: when do two peaks appear, and when is one of them left?",
      "In the surprise, what does it expect at the last step, and what comes?",
    ],
  });
  const { root, say } = experiment;

  const name = () => model.get("flight");
  const last = () => flights[name()].length;
  const step = () => Math.min(model.get("step"), last());
  const trace = () => tensors[`${name()}.steps`].values;
  const row = (i) => landerRow(trace(), i);
  const all = () => Array.from({ length: last() + 1 }, (_, i) => i);
  const distribution = (i) => [...tensors[`${name()}.probabilities`].values.subarray(n * i, n * (i + 1))];
  const ended = () => step() === last();
  const realised = () => returnsFrom(all().map((i) => row(i).reward), gamma);

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "The lander over its pad, the distribution of the return that it expects now, and the same over the whole flight",
    height: (width) => (width < 600 ? 760 : 590),
    draw: (context, width, height, colors) => {
      const tall = width < 600 ? 480 : 300;
      const [scene, bars] = makePanels(width, tall, 2);
      const states = all().slice(0, step() + 1).map((i) => row(i).state);
      const terrain = tensors[`${name()}.terrain`].values;
      drawLander(context, scene, colors, { terrain, states, action: ended() ? 0 : row(step()).action });
      drawNow(context, bars, colors);
      context.save();
      context.translate(0, tall + 10);
      const top = drawKey(context, width, colors, [
        { label: "mean: the action value", look: 0 },
        { label: "what this flight returned from here on", look: 1 },
      ]);
      drawFlight(context, { x: 0, y: top, width, height: height - tall - 10 - top }, colors);
      context.restore();
    },
  });
  const drawNow = (context, box, colors) => {
    const p = distribution(step());
    const axes = openAxes(context, box, colors, {
      title: ended() ? "The flight is over: nothing follows" : `Return expected of: ${LANDER_ACTIONS[row(step()).action]}`,
      xLabel: "discounted return from here on",
      yLabel: "probability",
      xRange: [edges[0], edges[n]],
      yRange: [0, Math.max(0.1, ...p)],
    });
    const top = Math.max(0.1, ...p);
    if (ended()) return;
    axes.bars(edges, p, 0);
    const { mean } = momentsOf(p, atoms);
    axes.line([mean, mean], [0, top], 0);
    const came = realised()[step()];
    axes.line([came, came], [0, top], 1);
  };
  const drawFlight = (context, box, colors) => {
    const axes = openAxes(context, box, colors, {
      title: "The whole flight, by strength of colour",
      xLabel: "environment steps",
      yLabel: "discounted return",
      xRange: [0, last()],
      yRange: [edges[0], edges[n]],
    });
    context.fillStyle = colors.series[0];
    for (const i of all().slice(0, -1)) {
      const [x, next] = [i, i + 1].map((each) => Math.round(axes.px(each))); // whole pixels: no seams
      distribution(i).forEach((p, k) => {
        if (p < 0.004) return;
        context.globalAlpha = Math.min(1, 5 * p);
        context.fillRect(x, axes.py(edges[k + 1]), next - x, axes.py(edges[k]) - axes.py(edges[k + 1]));
      });
    }
    context.globalAlpha = 1;
    axes.line(all().slice(0, -1).map((i) => i + 0.5), realised().slice(0, -1), 1);
    const at = Math.min(step() + 0.5, last());
    axes.line([at, at], [edges[0], edges[n]], 0, { color: colors.text, dash: [4, 3], thin: true });
  };

  const refresh = (at = false) => {
    redraw();
    const p = distribution(step());
    const { mean, deviation } = momentsOf(p, atoms);
    const low = p.reduce((sum, each, i) => sum + (atoms[i] < 0 ? each : 0), 0);
    const where = `${name()}, environment step ${step()} of ${last()}.`;
    const expected =
      `Expected: mean ${mean.toFixed(1)}, standard deviation ${deviation.toFixed(1)}, below zero with probability ` +
      `${low.toFixed(2)}. Chosen: ${LANDER_ACTIONS[row(step()).action]}, reward ${row(step()).reward.toFixed(1)}; ` +
      `from here on the flight returned ${realised()[step()].toFixed(1)}.`;
    say(`${where} ${ended() ? "The flight is over." : expected}`, at);
  };
  const about = make("p", { class: "rl-note" });
  const showAbout = () => {
    const { env_steps: trained, flight_return: sum } = flights[name()];
    about.textContent = `${name()}: one agent after ${trained.toLocaleString("en")} environment steps of training; return of this flight, undiscounted, ${sum.toFixed(0)}.`;
  };
  const { controls, bar, fit } = makeFlightPlayer(experiment, model, {
    choice: {
      name: "flight",
      label: "Which flight",
      flights: Object.keys(flights),
      stepLabel: "Environment step of the flight",
    },
    last,
    step,
    tell: showAbout,
    refresh,
  });
  root.append(controls, about, bar, figure);
  fit();
  refresh(true);
  return experiment.destroy;
}

export default { render };
