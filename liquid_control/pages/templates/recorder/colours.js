// Colours of the theme for canvases, which know no CSS variables.

const ROLES = [
  "page", "card", "line", "ink", "muted", "grid", "trail", "corridor", "trunk",
  "blue", "orange", "green", "red", "purple",
];
const theme = {};

function readTheme() {
  const probe = document.createElement("i");
  document.body.append(probe);
  for (const role of ROLES) {
    probe.style.color = `var(--${role})`;
    theme[role] = getComputedStyle(probe).color;
  }
  probe.remove();
}

// A colour with an opacity, in steps of 1/64 so that the texts are few.
const alphas = new Map();
function withAlpha(colour, alpha) {
  const step = Math.round(64 * alpha), key = `${colour}/${step}`;
  let text = alphas.get(key);
  if (text === undefined) {
    const [r, g, b] = colour.match(/[\d.]+/g);
    text = `rgba(${r},${g},${b},${step / 64})`;
    alphas.set(key, text);
  }
  return text;
}

const mixed = (from, to, part) => from.map((value, i) => Math.round(value + part * (to[i] - value)));
const rgb = colour => colour.match(/[\d.]+/g).slice(0, 3).map(Number);

// Tables of 256 colours, RGBA; diverging is transparent in the middle.
function colourTable(scale) {
  const table = new Uint8ClampedArray(1024);
  const low = rgb(theme.blue), high = rgb(theme.orange), one = rgb(theme.purple);
  for (let i = 0; i < 256; i++) {
    const part = scale === "diverging" ? Math.abs(i - 127.5) / 127.5 : i / 255;
    const colour = scale === "diverging" ? (i < 128 ? low : high) : one;
    table.set([...colour, Math.round(255 * Math.pow(part, 0.85))], 4 * i);
  }
  return table;
}

// Saliency: from transparent over orange to pale yellow.
const HEAT = (() => {
  const table = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    const part = i / 255;
    const colour = part < 0.6
      ? mixed([120, 20, 60], [242, 120, 50], part / 0.6) : mixed([242, 120, 50], [255, 236, 150], (part - 0.6) / 0.4);
    table.set([...colour, Math.round(235 * Math.min(1, 1.25 * part))], 4 * i);
  }
  return table;
})();

// Gives a canvas the resolution of the screen. Reading a size forces a layout, so this happens when
// the page changes its size and not when the cursor moves.
function fitCanvas(canvas) {
  const { width, height } = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}
