// Colours for sizes between 0 and 1: the larger, the further from the page's own colour.

const HEAT = {
  light: [[244, 247, 250], [122, 178, 214], [0, 98, 160]],
  dark: [[32, 41, 52], [44, 104, 150], [120, 200, 245]],
};

/** The fill of a value in [0, 1], and a text colour to be read on it. */
function heat(share, colors) {
  const stops = colors.dark ? HEAT.dark : HEAT.light;
  const at = 2 * Math.min(1, Math.max(0, share));
  const i = at < 1 ? 0 : 1;
  const rgb = stops[i].map((low, c) => Math.round(low + (at - i) * (stops[i + 1][c] - low)));
  const light = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
  return { fill: `rgb(${rgb.join(" ")})`, text: luminance > 0.18 ? "#10161d" : "#ffffff" };
}

/** A strip that names the colours: words at its ends. */
function drawHeatScale(context, box, colors, [low, high]) {
  context.font = colors.font(12);
  context.textBaseline = "middle";
  const from = box.x + context.measureText(low).width + 6;
  const to = box.x + box.width - context.measureText(high).width - 6;
  const n = 40;
  for (let i = 0; i < n; i += 1) {
    context.fillStyle = heat((i + 0.5) / n, colors).fill;
    context.fillRect(from + (i * (to - from)) / n, box.y - 5, (to - from) / n + 0.6, 10);
  }
  context.strokeStyle = colors.muted;
  context.lineWidth = 1;
  context.strokeRect(from, box.y - 5, to - from, 10);
  context.fillStyle = colors.text;
  context.textAlign = "left";
  context.fillText(low, box.x, box.y);
  context.fillText(high, to + 6, box.y);
}
