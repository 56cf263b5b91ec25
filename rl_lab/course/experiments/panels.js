// Panels with axes for bands, bars and marks, where `drawLines` draws lines only; and inputs
// that follow the model.

/** Put `count` boxes side by side where the width allows it, else one below the other. */
function makePanels(width, height, count, top = 0) {
  const rows = width < 600 ? count : 1;
  const columns = count / rows;
  const gap = 18;
  const size = { width: (width - gap * (columns - 1)) / columns, height: (height - top) / rows };
  return Array.from({ length: count }, (_, i) => ({
    x: rows > 1 ? 0 : i * (size.width + gap),
    y: top + (rows > 1 ? i * size.height : 0),
    ...size,
  }));
}

/**
 * Draw axes, and return how to draw on them.
 * @param {{title: string, xLabel: string, yLabel: string, xRange: number[], yRange: number[],
 *   log?: boolean, xTicks?: number[]}} chart `log`: the y axis is logarithmic
 * @returns `px` and `py` turn numbers into pixels; `line`, `band`, `bars`, `dot` and `write` draw
 */
function openAxes(context, box, colors, chart) {
  const { xRange, yRange, log = false } = chart;
  context.font = colors.font(12);
  context.textBaseline = "middle";
  context.lineJoin = "round";
  const scale = log ? Math.log10 : (y) => y;
  const [low, high] = yRange.map(scale);
  const [bottom, top] = [box.y + box.height - 40, box.y + 28];
  const yTicks = log
    ? niceTicks(low, high).filter(Number.isInteger).map((power) => 10 ** power)
    : niceTicks(low, high, Math.max(2, (bottom - top) / 45));
  const wide = Math.max(...yTicks.map((tick) => context.measureText(String(tick)).width));
  const [left, right] = [box.x + wide + 28, box.x + box.width - 20];
  const px = (x) => left + ((x - xRange[0]) / (xRange[1] - xRange[0])) * (right - left);
  const py = (y) => bottom - ((scale(y) - low) / (high - low)) * (bottom - top);
  const write = (text, x, y, align = "left", color = colors.text) => {
    context.fillStyle = color;
    context.textAlign = align;
    context.fillText(text, x, y);
  };
  const stroke = (...line) => strokeLine(context, ...line);
  const within = (drawing) => {
    context.save();
    context.beginPath();
    context.rect(left - 1, top - 4, right - left + 6, bottom - top + 5);
    context.clip();
    drawing();
    context.restore();
  };
  const pairs = (x, y) => Array.from(x, (each, i) => [px(each), py(y[i])]);
  context.font = colors.font(13);
  write(chart.title, left, box.y + 11);
  context.font = colors.font(12);
  for (const tick of yTicks) {
    stroke([[left, py(tick)], [right, py(tick)]], colors.line, 1);
    write(String(tick), left - 6, py(tick), "right");
  }
  for (const tick of chart.xTicks ?? niceTicks(...xRange, Math.max(2, (right - left) / 75)))
    write(tick.toLocaleString("en"), px(tick), bottom + 12, "center");
  write(chart.xLabel, (left + right) / 2, bottom + 29, "center", colors.muted);
  context.save();
  context.translate(box.x + 8, (top + bottom) / 2);
  context.rotate(-Math.PI / 2);
  write(chart.yLabel, 0, 0, "center", colors.muted);
  context.restore();
  return {
    px,
    py,
    left,
    right,
    top,
    bottom,
    write,
    /** A line in the look number `look`; `thin` and `color` change it. */
    line: (x, y, look, { thin = false, alpha = 1, color = colors.series[look % 6], dash } = {}) =>
      within(() => {
        context.globalAlpha = alpha;
        stroke(pairs(x, y), color, thin ? 1.2 : 2.2, dash ?? DASHES[look % DASHES.length]);
      }),
    /** The area between two lines. */
    band: (x, below, above, look) =>
      within(() => {
        context.globalAlpha = 0.2;
        context.fillStyle = colors.series[look % 6];
        context.beginPath();
        for (const [a, b] of pairs(x, above)) context.lineTo(a, b);
        for (const [a, b] of pairs(x, below).reverse()) context.lineTo(a, b);
        context.fill();
      }),
    /** Bars from edge to edge: one more edge than heights. */
    bars: (edges, heights, look) =>
      within(() => {
        context.globalAlpha = 0.45;
        context.fillStyle = colors.series[look % 6];
        heights.forEach((height, i) => {
          const [a, b] = [px(edges[i]), px(edges[i + 1])];
          context.fillRect(a, py(height), Math.max(1, b - a - 1), bottom - py(height));
        });
      }),
    /** A marked point: filled, or only its outline. */
    dot: (x, y, look, { size = 4, hollow = false } = {}) =>
      within(() => {
        context.beginPath();
        context.arc(px(x), py(y), size, 0, 2 * Math.PI);
        context.fillStyle = hollow ? colors.background : colors.series[look % 6];
        context.strokeStyle = colors.series[look % 6];
        context.lineWidth = 2;
        context.fill();
        context.stroke();
      }),
  };
}

/**
 * Name lines in a row that wraps. @param {{label: string, look: number, dash?: number[],
 *   thin?: boolean, color?: string}[]} entries
 * @returns {number} its height; with `dry` nothing is drawn
 */
function drawKey(context, width, colors, entries, dry = false) {
  context.font = colors.font(12);
  context.textBaseline = "middle";
  context.textAlign = "left";
  let [x, y] = [4, 10];
  for (const { label, look, dash, thin, color } of entries) {
    const wide = 36 + context.measureText(label).width + 18;
    if (x > 4 && x + wide > width) [x, y] = [4, y + 19];
    if (!dry) {
      context.strokeStyle = color ?? colors.series[look % 6];
      context.lineWidth = thin ? 1.2 : 2.2;
      context.setLineDash(dash ?? DASHES[look % DASHES.length]);
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + 30, y);
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = colors.text;
      context.fillText(label, x + 36, y);
    }
    x += wide;
  }
  return y + 14;
}

/** A list of numbers to choose from, which takes any other number that it is set to. */
function makeChoice({ label, values, value, text = (n) => n.toLocaleString("en"), onInput }) {
  const options = values.map((each) => [String(each), text(each)]);
  const select = makeSelect({ label, options, onInput: (chosen) => onInput(Number(chosen)) });
  const set = (next) => {
    if (![...select.input.options].some((option) => option.value === String(next)))
      select.input.append(make("option", { value: next, text: text(next) }));
    select.set(String(next));
  };
  set(value);
  return { ...select, set };
}

/**
 * Keep controls and model together. @param {object} controls by input, each with `set`
 * @param {(name: string) => void} changed is told which input has changed
 * @returns {() => void} sets every input back to what it was, and tells nobody
 */
function followInputs(experiment, model, controls, changed) {
  const usual = Object.fromEntries(Object.keys(controls).map((name) => [name, model.get(name)]));
  let quiet = false;
  for (const [name, control] of Object.entries(controls)) {
    const heard = () => {
      control.set(model.get(name));
      if (!quiet) changed(name);
    };
    model.on(`change:${name}`, heard);
    experiment.onDestroy(() => model.off(`change:${name}`, heard));
  }
  return () => {
    quiet = true;
    for (const [name, value] of Object.entries(usual)) model.set(name, value);
    model.save_changes();
    quiet = false;
  };
}

/** Gives, for the name of an input, a function that writes its value to the model. */
function writeInputs(model) {
  return (name) => (value) => {
    model.set(name, value);
    model.save_changes();
  };
}

/** Fill a table: heads, then rows of cells; the first cell of a row is its name. */
function fillTable(table, heads, rows) {
  const head = heads.map((text) => make("th", { scope: "col", text }));
  const body = rows.map((cells) =>
    make("tr", {}, ...cells.map((text, i) => make(i ? "td" : "th", { text: String(text), scope: i ? undefined : "row" }))),
  );
  table.replaceChildren(make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}
