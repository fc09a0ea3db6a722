// Lines and heat maps over time, drawn by uPlot; the page moves their cursor.

const AXIS_FONT = "11px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
const LEFT = 58;
const ignored = () => null;
const NO_MOUSE = Object.fromEntries(
  ["mousedown", "mouseup", "click", "dblclick", "mousemove", "mouseleave", "mouseenter"].map(name => [name, ignored]));

function timeAxis(shown) {
  return {
    show: shown, stroke: () => theme.muted, font: AXIS_FONT, size: 24, gap: 4, space: 70,
    grid: { show: false }, ticks: { show: false },
    values: (_, splits) => splits.map(value => `${+value.toFixed(3)} s`),
  };
}

function timeScale(view) {
  return { time: false, range: () => [view.from, view.to] };
}

// Common part of a plot and a heat map: an uPlot instance whose cursor is the page's.
class TimePanel {
  constructor(host, view, options, data) {
    this.host = host;
    this.view = view;
    const cursor = { bind: NO_MOUSE, y: false, drag: { setScale: false, x: false, y: false }, points: options.points };
    this.chart = new uPlot({
      width: Math.max(80, host.clientWidth), height: options.height, padding: [6, 10, 0, 0], legend: { show: false },
      cursor, scales: { x: timeScale(view), y: options.y }, axes: options.axes, series: options.series,
      hooks: { drawClear: [chart => options.under?.(chart)], draw: [chart => options.over?.(chart)] },
    }, data, host);
    this.height = options.height;
    scrubWith(this.chart.over, event => {
      const box = this.chart.over.getBoundingClientRect();
      return view.from + (event.clientX - box.left) / box.width * (view.to - view.from);
    });
  }

  seek(t) {
    const left = this.chart.valToPos(t, "x");
    const inside = t >= this.view.from - 1e-9 && t <= this.view.to + 1e-9;
    this.chart.setCursor({ left: inside ? left : -10, top: 0 }, false);
  }

  resize() {
    this.chart.setSize({ width: Math.max(80, this.host.clientWidth), height: this.height });
  }

  // Draws again after a change of the theme or of the visible times.
  redraw() {
    this.chart.batch(() => {
      this.chart.setScale("x", { min: this.view.from, max: this.view.to });
      this.chart.redraw(true, true);
    });
  }
}

function finiteOrNull(values) {
  return Array.from(values, value => (Number.isFinite(value) ? value : null));
}

function shadeBands(chart, bands) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = withAlpha(theme.red, 0.13);
  for (const band of bands) {
    const left = chart.valToPos(band.seconds, "x", true);
    const right = chart.valToPos(band.end_s ?? band.seconds, "x", true);
    ctx.fillRect(left, bbox.top, Math.max(1.5, right - left), bbox.height);
  }
  ctx.restore();
}

// One plot with its title and the values under the cursor.
class LinePlot extends TimePanel {
  constructor(host, view, plot, array, range, last, bands) {
    const traces = plot.traces.map(trace => ({
      ...trace, seconds: array(trace.seconds).values, values: array(trace.values).values,
    }));
    const head = document.createElement("div");
    head.className = "plot-head";
    head.append(Object.assign(document.createElement("span"), { className: "plot-title", textContent: plot.title }));
    const readouts = traces.map(trace => {
      const box = document.createElement("span"), value = document.createElement("b");
      box.className = "readout";
      box.style.setProperty("--colour", `var(--${trace.colour})`);
      box.append(trace.label, " ", value);
      head.append(box);
      return value;
    });
    host.append(head);
    const tables = traces.map(trace => [Array.from(trace.seconds), finiteOrNull(trace.values)]);
    const same = traces.every(trace => trace.seconds === traces[0].seconds
      || (trace.seconds.length === traces[0].seconds.length && trace.seconds.every((s, i) => s === traces[0].seconds[i])));
    const data = same ? [tables[0][0], ...tables.map(table => table[1])] : uPlot.join(tables);
    const stepped = uPlot.paths.stepped({ align: 1 }), linear = uPlot.paths.linear();
    super(host, view, {
      height: last ? 92 : 70,
      y: { range: () => range },
      axes: [timeAxis(last), {
        stroke: () => theme.muted, font: AXIS_FONT, size: LEFT, gap: 6, space: 18,
        grid: { stroke: () => theme.grid, width: 1 }, ticks: { show: false },
      }],
      series: [{}, ...traces.map(trace => ({
        stroke: () => theme[trace.colour], width: trace.colour === "muted" ? 1.1 : 1.5, spanGaps: !same,
        paths: trace.steps ? stepped : linear, points: { show: false },
      }))],
      points: { size: 6, width: 0, fill: (chart, index) => theme[traces[index - 1].colour], stroke: () => "transparent" },
      under: chart => shadeBands(chart, bands),
      over: chart => {
        const zero = chart.valToPos(0, "y", true), { ctx, bbox } = chart;
        if (zero < bbox.top || zero > bbox.top + bbox.height) return;
        ctx.save();
        ctx.strokeStyle = withAlpha(theme.muted, 0.45);
        ctx.lineWidth = 1;
        ctx.beginPath();
        ctx.moveTo(bbox.left, Math.round(zero) + 0.5);
        ctx.lineTo(bbox.left + bbox.width, Math.round(zero) + 0.5);
        ctx.stroke();
        ctx.restore();
      },
    }, data);
    this.traces = traces;
    this.readouts = readouts;
  }

  seek(t) {
    super.seek(t);
    this.traces.forEach((trace, i) => {
      const value = trace.values[indexAt(trace.seconds, t)];
      this.readouts[i].textContent = Number.isFinite(value) ? signed(value) : "–";
    });
  }
}

const signed = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

// Range of a plot: its data and its least span, with a margin; the same for both flights.
function rangeOf(plots) {
  let low = Infinity, high = -Infinity;
  for (const { plot, array } of plots) {
    low = Math.min(low, plot.span[0]);
    high = Math.max(high, plot.span[1]);
    for (const trace of plot.traces) {
      for (const value of array(trace.values).values) {
        if (!Number.isFinite(value)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
  }
  const margin = 0.06 * (high - low || 1);
  return [low - margin, high + margin];
}

const ROW = 13;
const IMAGE_COLUMNS = 3000;

// One quantity of all neurons: a row each, motor neurons on top.
class NeuronMap extends TimePanel {
  constructor(host, view, neurons, map, array, last, onRow) {
    const names = [...neurons.names].reverse(), rows = names.length;
    const seconds = array(neurons.seconds).values, values = array(map.values).values;
    const axis = {
      stroke: () => theme.muted, font: "10px system-ui, 'DejaVu Sans', sans-serif", size: 84, gap: 6,
      grid: { show: false }, ticks: { show: false },
      splits: () => names.map((_, row) => row + 0.5), values: () => [...names].reverse(), filter: (_, splits) => splits,
    };
    const shown = {};
    super(host, view, {
      height: ROW * rows + (last ? 32 : 8),
      y: { range: () => [0, rows] },
      axes: [timeAxis(last), axis],
      series: [{}, { show: true, stroke: "transparent", paths: ignored, points: { show: false } }],
      points: { show: false },
      over: chart => {
        const { ctx, bbox } = chart;
        shown.image ??= this.image(seconds, values, map, rows);
        const span = view.end_s || 1;
        const from = view.from / span * shown.image.width, to = view.to / span * shown.image.width;
        ctx.save();
        ctx.imageSmoothingEnabled = false;
        ctx.drawImage(shown.image, from, 0, Math.max(1, to - from), rows, bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.strokeStyle = theme.page;
        ctx.lineWidth = 2;
        for (let row = 1; row < rows; row++) {
          if (kindOf(names[row]) === kindOf(names[row - 1])) continue;
          const y = Math.round(bbox.top + row / rows * bbox.height);
          ctx.beginPath();
          ctx.moveTo(bbox.left, y);
          ctx.lineTo(bbox.left + bbox.width, y);
          ctx.stroke();
        }
        ctx.restore();
      },
    }, [[0, view.end_s], [null, null]]);
    Object.assign(this, { shown, names, seconds, values, map, rows });
    this.chart.over.addEventListener("pointermove", event => {
      const box = this.chart.over.getBoundingClientRect();
      onRow(rows - 1 - Math.min(rows - 1, Math.max(0, Math.floor((event.clientY - box.top) / box.height * rows))));
    });
    this.chart.over.addEventListener("pointerleave", () => onRow(null));
  }

  // Values held until the next frame, on a regular clock.
  image(seconds, values, map, rows) {
    const end = this.view?.end_s ?? seconds[seconds.length - 1];
    const columns = Math.max(1, Math.min(IMAGE_COLUMNS, 4 * seconds.length));
    const canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    const image = new ImageData(columns, rows), table = colourTable(map.scale);
    const warp = map.scale === "log" ? Math.log : value => value;
    const low = warp(map.limits[0]), high = warp(map.limits[1]);
    for (let column = 0; column < columns; column++) {
      const t = (column + 0.5) / columns * end;
      if (t < seconds[0]) continue;
      const frame = indexAt(seconds, t);
      for (let row = 0; row < rows; row++) {
        const value = warp(values[frame * rows + rows - 1 - row]);
        const part = Math.min(255, Math.max(0, Math.round(255 * (value - low) / (high - low))));
        if (!Number.isFinite(value)) continue;
        for (let i = 0; i < 4; i++) image.data[4 * (row * columns + column) + i] = table[4 * part + i];
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  redraw() {
    this.shown.image = null;
    super.redraw();
  }

  // Value of a neuron, in the order of `neurons.names`, at a time.
  value(neuron, t) {
    return this.values[indexAt(this.seconds, t) * this.rows + neuron];
  }
}

const kindOf = name => name.replace(/[_\d]+$/, "");
