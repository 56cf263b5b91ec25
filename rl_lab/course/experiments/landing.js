// needs: network.js panels.js lander.js
// The recorded landings, step by step: what was observed, the four action values, the choice.

/** Numbers less their mean: what tells the actions apart. */
function aboutTheirMean(list) {
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  return list.map((value) => value - mean);
}

function render({ model, el }) {
  const { tensors, metadata } = readSafetensors(model.get("assets").landing);
  const stored = JSON.parse(metadata.manifest).moments;
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Move the slider through the landing: which value is on top when the lander tilts, or falls fast?",
      "The four values are nearly equal. How little decides between crash and landing?",
    ],
  });
  const { root, say } = experiment;

  const trace = () => tensors[`${model.get("moment")}.steps`].values;
  const last = () => stored[model.get("moment")].length;
  const step = () => Math.min(model.get("step"), last());
  const now = () => landerRow(trace(), step());
  const ended = () => stored[model.get("moment")].over && step() === last();

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "The lander over its pad, its four action values now, and what tells them apart over the whole video",
    height: (width) => (width < 600 ? 740 : 590),
    draw: (context, width, height, colors) => {
      const tall = width < 600 ? 460 : 300;
      const [scene, bars] = makePanels(width, tall, 2);
      drawScene(context, scene, colors);
      drawLanderValues(context, bars, colors);
      const entries = LANDER_ACTIONS.map((label, look) => ({ label, look }));
      context.save();
      context.translate(0, tall + 10);
      const top = drawKey(context, width, colors, entries);
      drawTimeline(context, { x: 0, y: top, width, height: height - tall - 10 - top }, colors);
      context.restore();
    },
  });
  const drawScene = (context, box, colors) => {
    const { action } = now();
    const states = Array.from({ length: step() + 1 }, (_, i) => landerRow(trace(), i).state);
    const terrain = tensors[`${model.get("moment")}.terrain`].values;
    drawLander(context, box, colors, { terrain, states, action: ended() ? 0 : action });
  };
  const drawLanderValues = (context, box, colors) => {
    const { q, action } = now();
    const all = Array.from({ length: last() + 1 }, (_, i) => landerRow(trace(), i).q).flat();
    const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
    const left = box.x + 96;
    const room = box.x + box.width - 62 - left;
    const px = (value) => left + ((value - low) / (high - low)) * room;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillStyle = colors.text;
    context.font = colors.font(13);
    context.fillText("Q(s, a), what each action is expected to bring", box.x + 4, box.y + 14, box.width - 8);
    const each = Math.min(50, (box.height - 40) / 4);
    LANDER_ACTIONS.forEach((name, a) => {
      const y = box.y + 34 + each * (a + 0.5);
      context.fillStyle = colors.surface;
      context.fillRect(left, y - 10, room, 20);
      context.fillStyle = colors.series[a];
      context.globalAlpha = a === action ? 1 : 0.4;
      context.fillRect(Math.min(px(0), px(q[a])), y - 10, Math.max(1, Math.abs(px(q[a]) - px(0))), 20);
      context.globalAlpha = 1;
      context.fillStyle = colors.text;
      context.font = `${a === action ? "bold " : ""}${colors.font(13)}`;
      context.fillText(name, box.x + 4, y);
      context.fillText(q[a].toFixed(1), left + room + 8, y);
      if (a !== action) return;
      context.strokeStyle = colors.text;
      context.lineWidth = 1.5;
      context.strokeRect(left, y - 10, room, 20);
    });
  };
  const drawTimeline = (context, box, colors) => {
    const steps = Array.from({ length: last() + 1 }, (_, i) => i);
    const rows = steps.map((i) => aboutTheirMean(landerRow(trace(), i).q));
    const all = rows.flat();
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const axes = openAxes(context, box, colors, {
      title: "Each value less the mean of the four, over the video",
      xLabel: "environment steps",
      yLabel: "Q(s, a) less the mean",
      xRange: [0, last()],
      yRange: [low, high],
    });
    LANDER_ACTIONS.forEach((_, a) => axes.line(steps, rows.map((q) => q[a]), a));
    const edge = { color: colors.text, dash: [4, 3], thin: true };
    axes.line([step(), step()], [low, high], 0, edge);
    axes.dot(step(), rows[step()][now().action], now().action, { size: 5 });
  };

  const table = make("table");
  const numbers = make("div", { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "What the lander observes" }, table);
  const refresh = (at = false) => {
    redraw();
    const { state, q, action, reward } = now();
    const shown = state.map((value, i) => (i > 5 ? (value > 0.5 ? "down" : "up") : value.toFixed(2)));
    fillTable(table, ["observed", ...LANDER_STATE], [["now", ...shown]]);
    const next = ended()
      ? "The episode is over."
      : step() === last()
        ? "The video is cut here."
        : `Chosen: ${LANDER_ACTIONS[action]}, reward ${reward.toFixed(1)}.`;
    const values = LANDER_ACTIONS.map((name, a) => `${name} ${q[a].toFixed(1)}`).join(", ");
    say(`${model.get("moment")}, environment step ${step()} of ${last()}. ${next} Q: ${values}.`, at);
  };
  const about = make("p", { class: "rl-note" });
  const showAbout = () => {
    const { env_steps: n, video_return: sum } = stored[model.get("moment")];
    about.textContent =
      `${model.get("moment")}: seed 0 after ${n.toLocaleString("en")} environment steps of training; return while ` +
      `recorded ${sum.toFixed(0)}. Numbers are as observed: position 0, 0 is the pad, and 1 to the side is the edge of the view.`;
  };
  const { controls, bar, fit } = makeFlightPlayer(experiment, model, {
    choice: {
      name: "moment",
      label: "Moment of training",
      flights: Object.keys(stored),
      stepLabel: "Environment step of the video",
    },
    last,
    step,
    tell: showAbout,
    refresh,
  });
  root.append(controls, about, bar, figure);
  fit();
  refresh(true);
  root.append(numbers);
  return experiment.destroy;
}

export default { render };
