// needs: network.js panels.js bricks.js
// The trained network and the reader play the game of bricks side by side.

const BRICKS_ACTIONS = ["stay", "left", "right"];
const BRICKS_PLANES = ["paddle", "ball", "bricks", "trail"];

function render({ model, el }) {
  const { tensors, metadata } = readSafetensors(model.get("assets").bricks);
  const stored = JSON.parse(metadata.manifest);
  const network = new BricksNetwork(tensors);
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Press Play and keep your ball in the air: hold the left or right arrow key, or touch where the paddle should go.",
      "Watch the map of what matters: which cells would change the network's values if they were empty?",
      "Pause just before the network catches its ball, and compare the three values.",
    ],
  });
  const { root, say } = experiment;
  const put = writeInputs(model);
  const names = ["network", "you"];
  const returns = { network: [], you: [] };
  let random;
  let games; // by player, and so are the next two
  let waited;
  let seen;
  let pending;
  let held = 0; // the reader's key or button: an action
  let tapped = 0; // one that was let go before its step came
  let aim = null; // the column under the reader's finger

  const look = () => {
    const planes = games.network.planes();
    const { map, values } = network.occlusion(planes);
    seen = { planes, map, values, action: values.indexOf(Math.max(...values)) };
  };
  const mine = () => {
    if (aim === null) return held || tapped;
    const { paddle } = games.you;
    return aim < paddle ? 1 : aim > paddle + 1 ? 2 : 0;
  };
  const begin = (name) => {
    games[name] = Bricks.start(random[name]);
    waited[name] = 0;
  };
  const restart = () => {
    random = { network: makeRandom(model.get("seed")), you: makeRandom(model.get("seed")) };
    [games, waited, pending] = [{}, {}, 0];
    [held, tapped, aim] = [0, 0, null];
    for (const name of names) {
      returns[name] = [];
      begin(name);
    }
    model.set("state", {}); // saved with the first return
    look();
    showScores();
    refresh(true);
  };
  const step = () => {
    const actions = { network: seen.action, you: mine() };
    tapped = 0;
    for (const name of names) {
      const game = games[name];
      if (game.outcome) {
        waited[name] += 1;
        if (waited[name] > 6) begin(name); // time to see how it ended
        continue;
      }
      game.step(actions[name]);
      if (game.outcome) {
        returns[name] = [...returns[name], game.score];
        model.set("state", { returns: { ...returns } });
        model.save_changes();
        showScores();
      }
    }
    look();
  };
  const frame = (seconds) => {
    pending += seconds * model.get("speed");
    if (pending < 1) return;
    pending = Math.min(pending - 1, 1); // a slow machine plays slower
    step();
    refresh();
  };

  const layout = (width) => {
    const gap = 16;
    const wide = width >= 600;
    const board = Math.floor((width - gap) / 2 > 280 ? 280 : (width - gap) / 2);
    const left = Math.max(0, (width - 2 * board - gap) / 2);
    const boards = names.map((_, i) => ({ x: left + i * (board + gap), y: 24, size: board }));
    const top = 24 + board + 14;
    const half = wide ? (width - 2 * gap) / 2 : width;
    const bars = { x: 0, y: top, width: half, height: 110 };
    const pictures = wide
      ? { x: half + 2 * gap, y: top, width: half }
      : { x: 0, y: top + 120, width };
    const small = Math.floor((pictures.width - 4 * 8) / 5);
    return { boards, bars, pictures, small, height: (wide ? top : top + 120) + Math.max(small + 28, wide ? 112 : 0) };
  };
  const cells = (context, box, colors, draw) => {
    const each = box.size / Bricks.size;
    context.fillStyle = colors.surface;
    context.fillRect(box.x, box.y, box.size, box.size);
    for (let cell = 0; cell < Bricks.size ** 2; cell += 1) {
      const color = draw(cell);
      if (!color) continue;
      context.fillStyle = color;
      const [y, x] = [Math.floor(cell / Bricks.size), cell % Bricks.size];
      context.fillRect(box.x + x * each, box.y + y * each, each, each);
    }
    context.globalAlpha = 1;
    context.lineWidth = 1;
    context.strokeStyle = colors.background; // one path for all lines between the cells is quick
    context.beginPath();
    for (let line = 1; line < Bricks.size; line += 1) {
      context.moveTo(box.x + line * each, box.y);
      context.lineTo(box.x + line * each, box.y + box.size);
      context.moveTo(box.x, box.y + line * each);
      context.lineTo(box.x + box.size, box.y + line * each);
    }
    context.stroke();
    context.strokeStyle = colors.muted;
    context.strokeRect(box.x, box.y, box.size, box.size);
  };
  const write = (context, colors, text, x, y, { align = "left", bold = false, size = 13 } = {}) => {
    context.font = `${bold ? "bold " : ""}${colors.font(size)}`;
    context.fillStyle = colors.text;
    context.textAlign = align;
    context.textBaseline = "middle";
    context.fillText(text, x, y);
  };
  const drawBoard = (context, box, colors, name) => {
    const game = games[name];
    const paddle = Bricks.size * (Bricks.size - 1) + game.paddle;
    const ball = Bricks.size * game.y + game.x;
    cells(context, box, colors, (cell) => {
      if (cell === ball) return colors.series[1];
      if (cell === paddle || cell === paddle + 1) return colors.series[0];
      return game.bricks[cell] ? colors.series[2] : null;
    });
    const title = `${name === "you" ? "you" : "the network"}: ${game.score}`;
    write(context, colors, game.outcome ? `${title}, ${game.outcome}` : title, box.x, box.y - 12, { bold: true });
  };
  const drawBars = (context, box, colors) => {
    const { values, action } = seen;
    write(context, colors, "Q of the network", box.x, box.y + 8);
    const [from, room] = [box.x + 50, box.width - 110];
    const low = Math.min(0, ...values);
    const high = Math.max(8, ...values);
    const px = (value) => from + ((value - low) / (high - low)) * room;
    values.forEach((value, a) => {
      const y = box.y + 32 + 28 * a;
      context.fillStyle = colors.surface;
      context.fillRect(from, y - 9, room, 18);
      context.fillStyle = colors.series[0];
      context.globalAlpha = a === action ? 1 : 0.45;
      context.fillRect(Math.min(px(0), px(value)), y - 9, Math.max(1, Math.abs(px(value) - px(0))), 18);
      context.globalAlpha = 1;
      write(context, colors, BRICKS_ACTIONS[a], box.x, y, { bold: a === action });
      write(context, colors, value.toFixed(2), from + room + 8, y, { bold: a === action });
    });
  };
  const drawPictures = (context, { pictures, small }, colors) => {
    const { planes, map } = seen;
    const most = Math.max(...map) || 1;
    const at = (i) => ({ x: pictures.x + i * (small + 8), y: pictures.y + 20, size: small });
    BRICKS_PLANES.forEach((name, plane) => {
      write(context, colors, name, at(plane).x, pictures.y + 8, { size: 12 });
      cells(context, at(plane), colors, (cell) => planes[plane * Bricks.size ** 2 + cell] && colors.text);
    });
    write(context, colors, "matters", at(4).x, pictures.y + 8, { size: 12 });
    cells(context, at(4), colors, (cell) => {
      context.globalAlpha = map[cell] / most;
      return map[cell] && colors.series[1];
    });
  };

  const figure = make("div");
  const { canvas, redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "The game of the network and yours; the network's action values, what it sees, and which cells matter to it",
    height: (width) => layout(width).height,
    draw: (context, width, height, colors) => {
      const places = layout(width);
      names.forEach((name, i) => drawBoard(context, places.boards[i], colors, name));
      drawBars(context, places.bars, colors);
      drawPictures(context, places, colors);
    },
  });
  takeKeys(canvas, figure, "The left and right arrow keys move your paddle; the space bar plays and pauses.");

  const refresh = (now = false) => {
    redraw();
    const { network: its, you } = games;
    const values = BRICKS_ACTIONS.map((name, a) => `${name} ${seen.values[a].toFixed(2)}`).join(", ");
    const doing = its.outcome || `environment step ${its.steps}, next ${BRICKS_ACTIONS[seen.action]}`;
    const yours = you.outcome || `ball in row ${you.y}, column ${you.x}, paddle from column ${you.paddle}`;
    say(`The network: ${its.score} of 30 bricks, ${doing}. Q: ${values}. You: ${you.score} of 30, ${yours}.`, now);
  };

  const table = make("table");
  const scores = make("div", { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "Returns so far" }, table);
  const showScores = () => {
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const rows = names
      .filter((name) => returns[name].length)
      .map((name) => [name, returns[name].length, returns[name].at(-1), mean(returns[name]).toFixed(1)]);
    scores.hidden = !rows.length;
    fillTable(table, ["player", "episodes", "last return", "mean"], rows);
  };

  const controls = {
    speed: makeRange({
      label: "Environment steps a second",
      min: 1,
      max: 20,
      step: 1,
      value: model.get("speed"),
      onInput: put("speed"),
    }),
    seed: makeChoice({ label: "Starts", values: [0, 1, 2, 3, 4], value: model.get("seed"), onInput: put("seed") }),
  };
  const recall = followInputs(experiment, model, controls, (name) => name === "seed" && restart());
  const bar = makePlayBar(experiment, {
    frame,
    step: () => {
      step();
      refresh(true);
    },
    reset: () => {
      recall();
      restart();
    },
  });
  const press = (action) => {
    tapped = action;
    if (!bar.playing()) {
      step();
      refresh(true);
    }
  };
  bar.element.append(
    makeButton({ label: "Left", onClick: () => press(1) }),
    makeButton({ label: "Right", onClick: () => press(2) }),
  );
  const actionOf = (event) => ({ ArrowLeft: 1, ArrowRight: 2 })[event.key];
  canvas.addEventListener("keydown", (event) => {
    const action = actionOf(event);
    if (event.key === " ") bar.playing() ? bar.pause() : bar.play();
    else if (!action) return;
    else if (!event.repeat) [held, tapped] = [action, action];
    if (action && !bar.playing()) bar.play();
    event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => actionOf(event) === held && (held = 0));
  canvas.addEventListener("blur", () => (held = 0));
  const columnAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const { x, y, size } = layout(box.width).boards[1];
    const column = Math.floor(((event.clientX - box.left - x) / size) * Bricks.size);
    const inside = event.clientY - box.top < y + size;
    return inside && column >= -1 && column <= Bricks.size ? Math.min(9, Math.max(0, column)) : null;
  };
  canvas.addEventListener("pointerdown", (event) => {
    aim = columnAt(event);
    if (aim === null) return;
    canvas.setPointerCapture(event.pointerId);
    if (!bar.playing()) bar.play();
  });
  canvas.addEventListener("pointermove", (event) => aim !== null && (aim = columnAt(event) ?? aim));
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (aim = null));

  const about = make("p", {
    class: "rl-note",
    text:
      `The network: one seed, ${stored.env_steps.toLocaleString("en")} environment steps of training, mean return ` +
      `${stored.mean_return.toFixed(1)} of 30 over ${stored.episodes} episodes. "matters": the largest change of ` +
      "a value if the cell were empty in every plane, relative to the cell where it is largest.",
  });
  root.append(
    figure,
    bar.element,
    make("div", { class: "rl-controls" }, ...Object.values(controls).map((control) => control.element)),
    root.querySelector(".rl-hints"),
    about,
  );
  restart();
  root.append(scores);
  return experiment.destroy;
}

export default { render };
