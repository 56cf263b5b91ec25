// needs: network.js panels.js
// The filmed landings, step by step: what was observed, the four action values, the choice.

const LANDER_ACTIONS = ["nothing", "left engine", "main engine", "right engine"];
const LANDER_STATE = ["position x", "height y", "velocity x", "velocity y", "angle", "spin", "left leg", "right leg"];

/** One environment step of a trace [steps * 14]. */
function landerRow(values, step) {
  const row = [...values.subarray(14 * step, 14 * step + 14)];
  return { state: row.slice(0, 8), q: row.slice(8, 12), action: row[12], reward: row[13] };
}

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
  const put = writeInputs(model);
  let pending = 0;

  const trace = () => tensors[`${model.get("moment")}.steps`].values;
  const last = () => stored[model.get("moment")].length;
  const step = () => Math.min(model.get("step"), last());
  const now = () => landerRow(trace(), step());
  const ended = () => stored[model.get("moment")].over && step() === last();

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "The lander over its pad, its four action values now, and what tells them apart over the whole film",
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
    const { state, action } = now();
    const [x, y, , , angle, , left, right] = state;
    const scale = Math.min(box.width / 2.2, box.height / 1.35); // pixels per unit of x: 10 m
    const px = (u) => box.x + box.width / 2 + u * scale;
    const py = (v) => box.y + box.height - 42 - (v * scale * 2) / 3;
    context.save();
    context.beginPath();
    context.rect(box.x, box.y, box.width, box.height);
    context.clip();
    const points = tensors[`${model.get("moment")}.terrain`].values;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) context.lineTo(px(points[i]), py(points[i + 1]));
    context.lineTo(box.x + box.width, box.y + box.height);
    context.lineTo(box.x, box.y + box.height);
    context.closePath();
    context.fillStyle = colors.surface;
    context.fill();
    context.strokeStyle = colors.muted;
    context.lineWidth = 1.5;
    context.stroke();
    context.strokeStyle = colors.text;
    const floor = py(-0.09);
    for (const flag of [-0.2, 0.2]) {
      context.beginPath();
      context.moveTo(px(flag), floor);
      context.lineTo(px(flag), floor - 20);
      context.lineTo(px(flag) + 9, floor - 15);
      context.lineTo(px(flag), floor - 11);
      context.stroke();
    }
    context.strokeStyle = colors.line;
    context.setLineDash([2, 4]);
    context.beginPath();
    for (let i = 0; i <= step(); i += 1) context.lineTo(px(trace()[14 * i]), py(trace()[14 * i + 1]));
    context.strokeStyle = colors.muted;
    context.stroke();
    context.setLineDash([]);
    context.translate(px(x), py(y));
    context.rotate(-angle);
    const size = Math.max(9, 0.052 * scale);
    const shape = (list, fill) => {
      context.beginPath();
      for (const [a, b] of list) context.lineTo(a * size, b * size);
      context.closePath();
      context.fillStyle = fill;
      context.fill();
    };
    if (!ended()) {
      if (action === 2) shape([[-0.5, 0.6], [0.5, 0.6], [0, 2.3]], colors.series[1]);
      if (action === 1) shape([[-0.9, -0.5], [-0.9, 0.1], [-2.2, -0.2]], colors.series[1]);
      if (action === 3) shape([[0.9, -0.5], [0.9, 0.1], [2.2, -0.2]], colors.series[1]);
    }
    shape([[-0.9, 0.6], [-1, 0], [-0.6, -0.9], [0.6, -0.9], [1, 0], [0.9, 0.6]], colors.series[0]);
    context.lineCap = "round";
    for (const [side, down] of [[-1, left], [1, right]]) {
      context.strokeStyle = down > 0.5 ? colors.series[2] : colors.muted;
      context.lineWidth = down > 0.5 ? 4 : 2.5;
      context.beginPath();
      context.moveTo(0.8 * side * size, 0.4 * size);
      context.lineTo(1.3 * side * size, 1.4 * size);
      context.stroke();
    }
    context.restore();
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
      title: "Each value less the mean of the four, over the film",
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
        ? "The film is cut here."
        : `Chosen: ${LANDER_ACTIONS[action]}, reward ${reward.toFixed(1)}.`;
    const values = LANDER_ACTIONS.map((name, a) => `${name} ${q[a].toFixed(1)}`).join(", ");
    say(`${model.get("moment")}, environment step ${step()} of ${last()}. ${next} Q: ${values}.`, at);
  };
  const about = make("p", { class: "rl-note" });
  const showAbout = () => {
    const { env_steps: n, film_return: sum } = stored[model.get("moment")];
    about.textContent =
      `${model.get("moment")}: seed 0 after ${n.toLocaleString("en")} environment steps of training; return while ` +
      `filmed ${sum.toFixed(0)}. Numbers are as observed: position 0, 0 is the pad, and 1 to the side is the edge of the view.`;
  };
  const controls = {
    moment: makeSelect({
      label: "Moment of training",
      value: model.get("moment"),
      options: Object.keys(stored).map((name) => [name, name]),
      onInput: put("moment"),
    }),
    step: makeRange({ label: "Environment step of the film", min: 0, max: last(), step: 1, value: step(), onInput: put("step") }),
    speed: makeRange({
      label: "Speed",
      min: 0.1,
      max: 2,
      step: 0.1,
      value: model.get("speed"),
      format: (value) => `${toDigits(value, 1)} x real time`,
      onInput: put("speed"),
    }),
  };
  const fit = () => {
    controls.step.input.max = last();
    controls.step.set(step());
    showAbout();
  };
  const recall = followInputs(experiment, model, controls, (name) => {
    if (name === "moment") fit();
    if (name !== "speed") refresh(!bar.playing());
  });
  const bar = makePlayBar(experiment, {
    frame: (seconds) => {
      pending += 50 * seconds * model.get("speed");
      const whole = Math.floor(pending);
      pending -= whole;
      if (whole) model.set("step", Math.min(last(), step() + whole)); // saved at the pause
      if (step() === last()) bar.pause();
    },
    step: () => put("step")(Math.min(last(), step() + 1)),
    reset: () => {
      recall();
      fit();
      refresh(true);
    },
    onChange: (running) => {
      if (running && step() === last()) model.set("step", 0);
      if (!running) model.save_changes();
    },
  });
  root.append(
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    about,
    bar.element,
    figure,
  );
  fit();
  refresh(true);
  root.append(numbers);
  return experiment.destroy;
}

export default { render };
