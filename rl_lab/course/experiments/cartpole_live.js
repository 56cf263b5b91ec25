// needs: cartpole.js network.js
// The trained networks at several checkpoints, and the reader's own hands, on one pole.

const VALUES_HEIGHT = 104; // pixels below the pole, for two action values and their difference
const HAND_SPEED = 0.3; // of real time: what a hand can follow

function render({ model, el }) {
  const { tensors, metadata } = readSafetensors(model.get("assets").checkpoints);
  const stored = JSON.parse(metadata.manifest).checkpoints;
  const networks = Object.fromEntries(
    Object.keys(stored).map((name) => [name, QNetwork.from(tensors, name)]),
  );
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Press Play, then push the cart or drag the pole: which checkpoints recover, and from how far?",
      "Early and collapsed are moments of one run, 15,000 environment steps apart. Watch where the cart goes.",
      "Drive yourself: choose your hands, which slows the clock, and hold the left or right arrow key.",
    ],
  });
  const { root, say } = experiment;

  let random;
  let state;
  let length;
  let touched; // the reader moved the cart or the pole in this episode
  let held = 1; // the direction of the reader's hands
  let outcome; // "" while the episode runs
  let pending; // seconds not yet turned into environment steps
  let dragging = false;
  let slowed = model.get("driver") === "hand"; // the clock is slower for a hand
  let speedBefore = model.get("speed");
  const scores = new Map(); // returns by driver

  const byHand = () => model.get("driver") === "hand";
  const network = () => networks[model.get("checkpoint")];
  const values = () => network().values(state);
  const action = () => (byHand() ? held : greedy(values()));

  const begin = () => {
    state = CartPole.start(random);
    [length, touched, outcome, pending] = [0, false, "", 0];
  };
  const restart = () => {
    random = makeRandom(model.get("seed"));
    scores.clear();
    begin();
    state[2] = 0.07; // a first picture that asks for an answer
    showScores();
    refresh(true);
  };

  const finish = () => {
    const fell = CartPole.over(state);
    if (!fell && length < CartPole.stepLimit) return;
    outcome = !fell
      ? "balanced to the limit of 500 environment steps"
      : Math.abs(state[0]) > CartPole.xLimit
        ? "the cart ran off the track"
        : "the pole fell";
    const name = byHand() ? "your hands" : `${model.get("checkpoint")}${touched ? ", disturbed" : ""}`;
    scores.set(name, [...(scores.get(name) ?? []), length]);
    model.set("state", { returns: Object.fromEntries(scores) });
    model.save_changes();
    showScores();
    refresh(true);
  };
  const step = () => {
    if (outcome) begin();
    state = CartPole.next(state, action());
    length += 1;
    finish();
  };
  const frame = (seconds) => {
    if (dragging) return;
    pending += seconds;
    if (outcome) {
      if (pending < 1.5) return; // time to see how it ended
      begin();
    }
    const each = CartPole.tau / model.get("speed");
    for (; pending >= each && !outcome; pending -= each) step();
    if (outcome) pending = 0;
    refresh();
  };

  const touch = (change) => {
    if (outcome) begin();
    change();
    touched = true;
    if (CartPole.over(state)) finish();
    refresh(true);
  };
  const push = (side) => {
    if (byHand()) {
      held = side > 0 ? 1 : 0;
      refresh();
    } else touch(() => (state[1] += side));
  };

  const poleBox = (width, height) => ({ x: 0, y: 4, width, height: height - VALUES_HEIGHT - 10 });
  const figure = make("div");
  const { canvas, redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "CartPole with the network's two action values",
    height: (width) => Math.min(360, 200 + 0.25 * width),
    draw: (context, width, height, colors) => {
      drawCartPole(context, poleBox(width, height), colors, state, outcome ? null : action());
      drawValues(context, { x: 0, y: height - VALUES_HEIGHT, width }, colors);
    },
  });
  takeKeys(canvas, figure, "The left and right arrow keys push; the space bar plays and pauses.");

  const drawValues = (context, box, colors) => {
    const both = values();
    const larger = greedy(both);
    const from = box.x + 88;
    const room = box.width - 88 - 62;
    const scale = room / Math.max(150, ...both);
    const write = (text, x, row, align = "left", bold = false) => {
      context.font = `${bold ? "bold " : ""}${colors.font(13)}`;
      context.fillStyle = colors.text;
      context.textAlign = align;
      context.fillText(text, x, box.y + 12 + 28 * row);
    };
    const bar = (row, x, width, strong) => {
      const y = box.y + 3 + 28 * row;
      context.fillStyle = colors.surface;
      context.fillRect(from, y, room, 18);
      context.fillStyle = colors.series[0];
      context.globalAlpha = strong ? 1 : 0.45;
      context.fillRect(x, y, width, 18);
      context.globalAlpha = 1;
    };
    context.textBaseline = "middle";
    [0, 1].forEach((side) => {
      write(`Q(s, ${side ? "right" : "left"})`, box.x + 2, side, "left", side === larger);
      bar(side, from, Math.max(1, scale * Math.max(0, both[side])), side === larger);
      write(both[side].toFixed(2), from + room + 6, side, "left", side === larger);
    });
    const never = from + 100 * scale; // what balancing for ever is worth
    const mark = [[never, box.y], [never, box.y + 52]];
    strokeLine(context, mark, colors.text, 1.5, [3, 3]);
    // The difference decides: on a scale of its own, from the middle to the side it speaks for.
    const difference = both[1] - both[0];
    const half = (room / 2) * Math.min(1, Math.abs(difference) / 3);
    const middle = from + room / 2;
    write("right - left", box.x + 2, 2);
    bar(2, difference < 0 ? middle - half : middle, Math.max(1, half), true);
    strokeLine(context, [[middle, box.y + 57], [middle, box.y + 79]], colors.text, 1);
    write(`${difference < 0 ? "" : "+"}${difference.toFixed(2)}`, from + room + 6, 2, "left", true);
    write("dashed: 100, for ever upright", Math.min(never, from + room - 90), 3, "center");
  };
  const refresh = (now = false) => {
    redraw();
    tilt.set(Math.round((state[2] * 180) / Math.PI));
    const [left, right] = values();
    const who = byHand() ? "your hands" : `the ${model.get("checkpoint")} network`;
    const doing = outcome
      ? `Episode over after ${length} environment steps: ${outcome}.`
      : `Environment step ${length}, ${describeCartPole(state)}; ${who} push ${action() ? "right" : "left"}.`;
    const text = doing.replace("network push ", "network pushes ");
    say(`${text} Q(left) ${left.toFixed(1)}, Q(right) ${right.toFixed(1)}.`, now);
  };

  const about = make("p", { class: "rl-note" });
  const showAbout = () => {
    const { run, seed, env_steps: n, mean_return: mean } = stored[model.get("checkpoint")];
    about.textContent =
      `${model.get("checkpoint")}: ${run}, seed ${seed}, after ${n.toLocaleString("en")} environment ` +
      `steps; mean return ${mean.toFixed(1)} over 100 episodes it had not seen. Q is the discounted ` +
      "return that it expects. A pole that never falls is worth 100, so that a larger value is an overestimate; " +
      "which push follows depends on the difference alone.";
  };
  const choose = (name) => (value) => {
    model.set(name, value);
    model.save_changes();
  };
  const checkpoint = makeSelect({
    label: "Checkpoint",
    value: model.get("checkpoint"),
    options: Object.keys(stored).map((name) => [name, name]),
    onInput: choose("checkpoint"),
  });
  const driver = makeSelect({
    label: "Who drives",
    value: model.get("driver"),
    options: [["network", "the network"], ["hand", "your hands (arrow keys)"]],
    onInput: choose("driver"),
  });
  const speed = makeSpeed(model, choose("speed"));
  const tilt = makeRange({
    label: "Tilt the pole",
    min: -12,
    max: 12,
    step: 1,
    value: 0,
    format: (value) => `${value} degrees`,
    onInput: (value) => touch(() => ([state[2], state[3]] = [(value * Math.PI) / 180, 0])),
  });

  const bar = makePlayBar(experiment, {
    frame,
    step: () => {
      step();
      refresh(true);
    },
    reset: restart,
  });
  bar.element.append(
    makeButton({ label: "Push left", onClick: () => push(-1) }),
    makeButton({ label: "Push right", onClick: () => push(1) }),
  );
  canvas.addEventListener("keydown", (event) => {
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") bar.playing() ? bar.pause() : bar.play();
    else if (side === undefined) return;
    else if (byHand() || !event.repeat) push(side);
    if (side !== undefined && byHand() && !bar.playing()) bar.play();
    event.preventDefault();
  });

  const angleAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const places = cartPolePlaces(poleBox(box.width, box.height), state);
    const [dx, dy] = [event.clientX - box.left - places.x, places.top - (event.clientY - box.top)];
    return { angle: Math.atan2(dx, Math.max(dy, 1)), near: dy > -5 && Math.hypot(dx, dy) < places.length + 25 };
  };
  const drag = (event) => {
    const limit = CartPole.angleLimit * 0.999;
    const angle = Math.min(limit, Math.max(-limit, angleAt(event).angle));
    touch(() => ([state[2], state[3]] = [angle, 0]));
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!angleAt(event).near) return;
    dragging = true;
    canvas.setPointerCapture(event.pointerId);
    drag(event);
  });
  canvas.addEventListener("pointermove", (event) => dragging && drag(event));
  for (const kind of ["pointerup", "pointercancel"])
    canvas.addEventListener(kind, () => (dragging = false));

  const table = make("table");
  const returns = make("div", { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "Returns so far" }, table);
  const showScores = () => {
    const row = (kind, cells) =>
      make("tr", {}, ...cells.map((text, i) => make(i && kind === "td" ? "td" : "th", { text, scope: kind === "th" ? "col" : i ? undefined : "row" })));
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const rows = [...scores].map(([name, list]) => {
      const known = stored[name]?.mean_return;
      const cells = [name, list.length, list.at(-1), mean(list).toFixed(1), known?.toFixed(1) ?? "-"];
      return row("td", cells.map(String));
    });
    returns.hidden = !rows.length;
    table.replaceChildren(
      make("thead", {}, row("th", ["driver", "episodes", "last return", "mean here", "mean of 100, stored"])),
      make("tbody", {}, ...rows),
    );
  };

  root.append(
    figure, // first, before the hints, also on a telephone
    bar.element,
    make("div", { class: "rl-controls" }, checkpoint.element, driver.element, speed.element, tilt.element),
    root.querySelector(".rl-hints"),
    about,
  );
  showAbout();
  restart();
  root.append(returns);

  const follow = () => {
    checkpoint.set(model.get("checkpoint"));
    driver.set(model.get("driver"));
    if (byHand() !== slowed) {
      slowed = byHand();
      const usual = model.get("speed");
      choose("speed")(slowed ? Math.min(usual, HAND_SPEED) : speedBefore);
      if (slowed) speedBefore = usual;
    }
    showAbout();
    begin();
    refresh(true);
  };
  const setSpeed = () => speed.set(model.get("speed"));
  const events = [["change:checkpoint change:driver", follow], ["change:speed", setSpeed], ["change:seed", restart]];
  for (const [names, heard] of events) model.on(names, heard);
  experiment.onDestroy(() => events.forEach(([names, heard]) => model.off(names, heard)));
  if (model.get("autoplay") && !lessMotion()) bar.play();
  return experiment.destroy;
}

export default { render };
