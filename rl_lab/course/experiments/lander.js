// The lander, as it is drawn, and the rows of its stored flights.

const LANDER_ACTIONS = ["nothing", "left engine", "main engine", "right engine"];
const LANDER_STATE = ["position x", "height y", "velocity x", "velocity y", "angle", "spin", "left leg", "right leg"];

/** One environment step of a trace [steps * 14]. */
function landerRow(values, step) {
  const row = [...values.subarray(14 * step, 14 * step + 14)];
  return { state: row.slice(0, 8), q: row.slice(8, 12), action: row[12], reward: row[13] };
}

/**
 * Draw the lander over its pad, with the way it came.
 * @param {{terrain: Float32Array, states: number[][], action: number}} flight the ground, in pairs;
 *   all observations until now; and the engine that burns
 */
function drawLander(context, box, colors, { terrain, states, action }) {
  const [x, y, , , angle, , left, right] = states[states.length - 1];
  const scale = Math.min(box.width / 2.2, box.height / 1.35); // pixels per unit of x: 10 m
  const px = (u) => box.x + box.width / 2 + u * scale;
  const py = (v) => box.y + box.height - 42 - (v * scale * 2) / 3;
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.width, box.height);
  context.clip();
  context.beginPath();
  for (let i = 0; i < terrain.length; i += 2) context.lineTo(px(terrain[i]), py(terrain[i + 1]));
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
  context.setLineDash([2, 4]);
  context.beginPath();
  for (const [u, v] of states) context.lineTo(px(u), py(v));
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
  if (action === 2) shape([[-0.5, 0.6], [0.5, 0.6], [0, 2.3]], colors.series[1]);
  if (action === 1) shape([[-0.9, -0.5], [-0.9, 0.1], [-2.2, -0.2]], colors.series[1]);
  if (action === 3) shape([[0.9, -0.5], [0.9, 0.1], [2.2, -0.2]], colors.series[1]);
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
}

/**
 * The controls of an experiment that moves along stored flights: which one, how far, how fast.
 * @param {{name: string, label: string, flights: string[], stepLabel: string}} choice `name` is
 *   the model's entry that says which flight
 * @param {() => number} last the last environment step of the flight
 * @param {() => number} step the present one
 * @param {() => void} tell says what flight it is
 * @param {(settled: boolean) => void} refresh draws
 */
function makeFlightPlayer(experiment, model, { choice, last, step, tell, refresh }) {
  const put = writeInputs(model);
  const { name, label, flights, stepLabel } = choice;
  const controls = {
    [name]: makeSelect({
      label,
      value: model.get(name),
      options: flights.map((each) => [each, each]),
      onInput: put(name),
    }),
    step: makeRange({ label: stepLabel, min: 0, max: last(), step: 1, value: step(), onInput: put("step") }),
    speed: makeSpeed(model, put("speed")),
  };
  const fit = () => {
    controls.step.input.max = last();
    controls.step.set(step());
    tell();
  };
  const recall = followInputs(experiment, model, controls, (changed) => {
    if (changed === name) fit();
    if (changed !== "speed") refresh(!bar.playing());
  });
  const tally = makeTally();
  const bar = makePlayBar(experiment, {
    frame: (seconds) => {
      const whole = tally(50 * seconds * model.get("speed"));
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
  const places = Object.values(controls).map((control) => control.element);
  return { controls: make("div", { class: "rl-controls" }, ...places), bar: bar.element, fit };
}
