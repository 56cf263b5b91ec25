// needs: panels.js
// Rooms with traps: a table that explores by epsilon, and a table whose values have noise.

const TRAPS = { gamma: 0.9, coin: 0.1, alpha: 0.1, tries: 2000 };

/** Behind a door: the coin, which is a share of the prize, and the end; or the next room. */
function openDoor(room, door, { rooms, prize }) {
  if (door !== room % 2) return { next: room, reward: TRAPS.coin * prize, done: true };
  const last = room === rooms - 1;
  return { next: last ? room : room + 1, reward: last ? prize : 0, done: last };
}

/** A table of means and noises [room][door]; it explores by its noise and by epsilon. */
class TrapTable {
  constructor({ rooms, prize, sigma, epsilon, seed }) {
    Object.assign(this, { rooms, prize, epsilon, random: makeRandom(seed) });
    const filled = (value) => Array.from({ length: rooms }, () => [value, value]);
    [this.mean, this.sigma] = [filled(0), filled(sigma)];
  }

  /** Values of a room with noise drawn anew, and that noise. */
  draw(room) {
    const noise = [0, 1].map(() => (this.sigma[room].some((s) => s !== 0) ? this.random.normal() : 0));
    return { noise, values: this.mean[room].map((mean, door) => mean + this.sigma[room][door] * noise[door]) };
  }

  /** One environment step and its update; returns all that was drawn. */
  step(room) {
    const explores = this.epsilon > 0 && this.random.uniform() < this.epsilon;
    const { values } = this.draw(room);
    const tie = values[0] === values[1];
    const door = explores || tie ? this.random.integer(2) : Number(values[1] > values[0]);
    const { next, reward, done } = openDoor(room, door, this);
    const target = done ? { noise: [0, 0], values: [0, 0] } : this.draw(next);
    const own = this.draw(room);
    const error = reward + TRAPS.gamma * Math.max(...target.values) - own.values[door];
    this.mean[room][door] += TRAPS.alpha * error;
    this.sigma[room][door] += TRAPS.alpha * error * own.noise[door];
    return { room, door, next, reward, done, target: target.noise, noise: own.noise[door], error };
  }

  /** One episode: how many rooms it passed. */
  attempt() {
    for (let room = 0; ; ) {
      const { door, next, done } = this.step(room);
      if (done) return room + Number(door === room % 2);
      room = next;
    }
  }
}

function render({ model, el }) {
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Press Play with 6 rooms, then with 8, then with 10: by which factor do the tries grow?",
      "Epsilon 1 passes a room in half of its tries. Why does epsilon 0.1 do worse?",
      "Prize 10, the noise as before: what becomes of the noisy table? And with noise 5?",
    ],
  });
  const { root, say } = experiment;
  const put = writeInputs(model);
  const NAMES = ["rooms", "epsilon", "sigma", "prize", "seed"];
  const LOOKS = [["epsilon-greedy", 1, [7, 4]], ["noisy values", 0, []]];
  const every = 20; // tries that share a point of the curve

  let tables;
  let passed; // by table: rooms passed in each try
  const take = () => tables.forEach((table, i) => passed[i].push(table.attempt()));
  const restart = () => {
    const now = Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));
    tables = [new TrapTable({ ...now, sigma: 0 }), new TrapTable({ ...now, epsilon: 0, seed: now.seed + 1 })];
    passed = [[], []];
    for (let i = 0; i < every; i += 1) take();
    refresh(true);
  };
  const prizes = (i) => passed[i].filter((rooms) => rooms === model.get("rooms")).length;

  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "Left, share of tries that passed each room; right, rooms passed over tries",
    height: (width) => (width < 600 ? 620 : 350),
    draw: (context, width, height, colors) => {
      const entries = LOOKS.map(([label, look, dash]) => ({ label, look, dash }));
      const top = drawKey(context, width, colors, [...entries, { label: "random doors", look: 0, color: colors.text, dash: [2, 3] }]);
      const [shares, curves] = makePanels(width, height, 2, top);
      drawShares(context, shares, colors);
      drawCurves(context, curves, colors);
    },
  });
  const drawShares = (context, box, colors) => {
    const rooms = Array.from({ length: model.get("rooms") }, (_, i) => i + 1);
    const axes = openAxes(context, box, colors, {
      title: "Tries that passed so many rooms",
      xLabel: "rooms passed",
      yLabel: "share of tries",
      xRange: [0.5, rooms.length + 0.5],
      yRange: [0.0003, 1],
      xTicks: rooms,
      log: true,
    });
    axes.line(rooms, rooms.map((k) => 0.5 ** k), 0, { color: colors.text, dash: [2, 3], thin: true });
    LOOKS.forEach(([, look, dash], i) => {
      const shares = rooms.map((k) => passed[i].filter((n) => n >= k).length / passed[i].length);
      const shown = rooms.filter((k) => shares[k - 1] > 0);
      axes.line(shown, shown.map((k) => shares[k - 1]), look, { dash });
      shown.forEach((k) => axes.dot(k, shares[k - 1], look, { size: 4, hollow: !i }));
    });
  };
  const drawCurves = (context, box, colors) => {
    const done = passed[0].length;
    const axes = openAxes(context, box, colors, {
      title: `Rooms passed, means of ${every} tries`,
      xLabel: "tries",
      yLabel: "rooms",
      xRange: [0, Math.max(200, done)],
      yRange: [0, model.get("rooms")],
    });
    LOOKS.forEach(([, look, dash], i) => {
      const [x, y] = [[], []];
      for (let end = every; end <= done; end += every) {
        x.push(end);
        y.push(passed[i].slice(end - every, end).reduce((sum, n) => sum + n, 0) / every);
      }
      axes.line(x, y, look, { dash });
    });
  };

  const refresh = (now = false) => {
    redraw();
    const tell = (i) => {
      const count = prizes(i);
      const furthest = Math.max(...passed[i]);
      const first = passed[i].indexOf(model.get("rooms")) + 1;
      return count ? `${count.toLocaleString("en")} prizes, the first in try ${first.toLocaleString("en")}` : `no prize, ${furthest} rooms at most`;
    };
    const noise = tables[1].sigma[0].map((sigma) => Math.abs(sigma).toFixed(2)).join(" and ");
    say(
      `${passed[0].length.toLocaleString("en")} tries. Epsilon-greedy: ${tell(0)}. Noisy values: ${tell(1)}; ` +
        `noise left in the first room ${noise}.`,
      now,
    );
    model.set("state", { tries: passed[0].length, epsilon: prizes(0), noise: prizes(1) });
    if (!bar.playing()) model.save_changes();
  };
  const range = (name, label, min, max, step, digits) =>
    makeRange({ label, min, max, step, value: model.get(name), format: (value) => toDigits(value, digits), onInput: put(name) });
  const controls = {
    rooms: range("rooms", "Rooms", 2, 12, 1, 0),
    epsilon: range("epsilon", "Epsilon", 0, 1, 0.05, 2),
    sigma: range("sigma", "Noise at first", 0, 5, 0.1, 1),
    prize: range("prize", "Prize", 1, 20, 1, 0),
    seed: range("seed", "Seed", 0, Math.max(50, model.get("seed")), 1, 0),
  };
  const recall = followInputs(experiment, model, controls, restart);
  const tally = makeTally();
  const bar = makePlayBar(experiment, {
    names: { step: `${every} tries` },
    frame: (seconds) => {
      for (let count = tally(seconds * 200); count > 0; count -= 1) take();
      if (passed[0].length >= TRAPS.tries) bar.pause();
      refresh();
    },
    step: () => {
      for (let i = 0; i < every; i += 1) take();
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
