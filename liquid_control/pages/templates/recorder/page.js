// The page: panels of one flight or two, one time cursor, keyboard, markers, deep link, theme.

const view = { from: 0, to: 1, end_s: 1 };
const columns = [];
const player = { t: 0, playing: false, speed: 1, pending: false };
const byId = id => document.getElementById(id);

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

// A drag or a click on an element moves the cursor to `timeOf(event)`.
function scrubWith(target, timeOf) {
  target.addEventListener("pointerdown", event => {
    if (event.button) return;
    target.setPointerCapture(event.pointerId);
    pause();
    seek(timeOf(event));
    event.preventDefault();
  });
  target.addEventListener("pointermove", event => {
    if (target.hasPointerCapture(event.pointerId)) seek(timeOf(event));
  });
}

class Column {
  constructor(host, { content, array }, ranges) {
    this.content = content;
    this.array = array;
    this.host = host;
    this.parts = [];
    this.redrawn = [];
    host.append(this.head());
    this.pictures(host);
    this.map(host);
    content.groups.forEach((group, i) => this.group(host, group, i, ranges));
    this.neurons(host);
    const clock = content.pictures ?? content.neurons;
    this.clock = clock ? array(clock.seconds).values : null;
  }

  panel(host, kind, title, ...content) {
    const heading = element("h3", "", title);
    const panel = element("section", `panel ${kind}`, heading, ...content);
    host.append(panel);
    return { panel, heading };
  }

  head() {
    const { content } = this;
    const head = element("header", "flight-head");
    const line = element("div", "heading", element("h2", "", content.title));
    if (content.outcome) {
      line.append(element("span", `result${content.succeeded ? " ok" : ""}${content.succeeded === null ? " open" : ""}`, content.outcome));
    }
    line.append(element("span", "muted small", content.subtitle));
    for (const [label, address] of content.links) {
      line.append(Object.assign(element("a", "small", label), { href: address }));
    }
    const facts = element("dl", "facts");
    for (const [name, value] of content.facts) facts.append(element("div", "", element("dt", "", name), element("dd", "", value)));
    head.append(line, facts);
    return head;
  }

  pictures(host) {
    const { content, array } = this;
    if (!content.pictures) return;
    const camera = this.camera = new Pictures(content.pictures, array), canvas = element("canvas", "camera");
    const time = element("span", "aside");
    const { heading } = this.panel(host, "pictures", "Camera ", canvas);
    const stride = content.pictures.stride;
    if (stride > 1) time.append(`one of ${stride} frames`);
    heading.append(time);
    this.parts.push(new FrameCanvas(canvas, [camera], paintPicture));
    if (!content.saliency) return;
    const salient = new Pictures(content.saliency, array), above = element("canvas", "camera saliency");
    this.panel(host, "saliency", "Where it looked", above);
    this.parts.push(new FrameCanvas(above, [camera, salient], saliencyPainter()));
  }

  map(host) {
    const { content, array } = this;
    if (!content.map) return;
    const canvas = element("canvas", "map"), map = new FlightMap(canvas, content.map, array);
    const { heading } = this.panel(host, "map-panel", "Map", canvas);
    const follow = element("button", "quiet", "follow");
    follow.type = "button";
    follow.setAttribute("aria-pressed", "false");
    follow.addEventListener("click", () => {
      map.follow = !map.follow;
      follow.setAttribute("aria-pressed", String(map.follow));
      map.seek(player.t);
    });
    const key = element("span", "aside");
    for (const path of content.map.paths) {
      const one = element("span", "readout", path.label);
      one.style.setProperty("--colour", `var(--${path.colour})`);
      if (content.map.paths.length > 1) key.append(one);
    }
    heading.append(key, follow);
    this.parts.push(map);
    this.redrawn.push(() => map.seek(player.t));
  }

  group(host, group, index, ranges) {
    const stack = element("div", "stack");
    const { panel } = this.panel(host, `plots group-${index}`, group.title, stack);
    if (group.caption) panel.append(element("p", "muted small", group.caption));
    const bands = group.guarded ? this.content.markers.filter(marker => marker.kind === "guard") : [];
    group.plots.forEach((plot, i) => {
      const box = element("div", "plot"), last = i === group.plots.length - 1;
      stack.append(box);
      this.parts.push(new LinePlot(box, view, plot, this.array, ranges(group.title, plot.title), last, bands));
    });
  }

  neurons(host) {
    const { content, array } = this, neurons = content.neurons;
    if (!neurons) return;
    const stack = element("div", "stack"), readout = element("span", "aside neuron-values");
    const hidden = neurons.total - neurons.names.length;
    const title = hidden ? `Neurons (${neurons.names.length} of ${neurons.total} shown)` : "Neurons";
    const { heading } = this.panel(host, "neurons", title, stack);
    heading.append(readout);
    const maps = [];
    const choose = neuron => {
      this.chosen = neuron;
      diagram?.select(neuron);
      this.readNeuron();
    };
    neurons.maps.forEach((map, i) => {
      const box = element("div", "plot");
      box.append(element("div", "plot-head", element("span", "plot-title", map.title), colourBar(map)));
      stack.append(box);
      maps.push(new NeuronMap(box, view, neurons, map, array, i === neurons.maps.length - 1, choose));
    });
    this.parts.push(...maps);
    let diagram = null;
    this.readNeuron = () => {
      if (this.chosen === null || this.chosen === undefined) { readout.textContent = ""; return; }
      const values = maps.map(map => {
        const value = map.value(this.chosen, player.t);
        return `${map.map.title.split(/[:,(]/)[0].trim()} ${value.toPrecision(3)}${map.map.unit && ` ${map.map.unit}`}`;
      });
      readout.textContent = `${neurons.names[this.chosen]}: ${values.join(", ")}`;
    };
    if (!content.wiring || hidden) return;
    const canvas = element("canvas", "wiring");
    const { panel } = this.panel(host, "wiring-panel", "Wiring", canvas);
    panel.append(element("p", "muted small",
      "Solid: excitatory, dashed: inhibitory synapse. Orange drives up, blue down, as strongly as the feeding neuron is active. Point at a neuron for its synapses."));
    diagram = new WiringDiagram(canvas, content.wiring, neurons, array);
    diagram.onSelect = neuron => { this.chosen = neuron; this.readNeuron(); };
    this.parts.push(diagram);
    this.redrawn.push(() => diagram.seek(player.t));
  }

  seek(t) {
    for (const part of this.parts) part.seek(t);
    this.readNeuron?.();
  }

  redraw() {
    for (const part of this.parts) part.redraw?.();
    for (const draw of this.redrawn) draw();
  }

  resize() {
    for (const part of this.parts) part.resize?.();
    for (const draw of this.redrawn) draw();
  }
}

function colourBar(map) {
  const bar = element("i", `colour-bar ${map.scale}`);
  const text = value => (map.scale === "log" ? value.toPrecision(2) : value.toFixed(2)) + (map.unit && ` ${map.unit}`);
  return element("span", "readout plain", text(map.limits[0]), bar, text(map.limits[1]));
}

// Moves the time cursor; drawing happens once a screen frame.
function seek(t) {
  player.t = Math.min(view.end_s, Math.max(0, t));
  if (player.t < view.from || player.t > view.to) shiftView();
  if (player.pending) return;
  player.pending = true;
  requestAnimationFrame(() => {
    player.pending = false;
    drawNow();
  });
}

function drawNow() {
  const { t } = player;
  for (const column of columns) column.seek(t);
  byId("now").textContent = t.toFixed(2);
  const slider = byId("timeline");
  slider.setAttribute("aria-valuenow", t.toFixed(2));
  slider.style.setProperty("--at", t / view.end_s);
  scheduleLink();
}

function shiftView() {
  const span = view.to - view.from;
  setView(Math.min(view.end_s - span, Math.max(0, player.t - span / 2)), span);
}

function setView(from, span) {
  view.from = Math.max(0, Math.min(from, view.end_s - span));
  view.to = Math.min(view.end_s, view.from + span);
  for (const column of columns) column.redraw();
  seek(player.t);
}

function zoom(factor) {
  const span = Math.min(view.end_s, Math.max(0.5, (view.to - view.from) * factor));
  setView(player.t - span / 2, span);
}

function pause() {
  player.playing = false;
  byId("play").setAttribute("aria-label", "play");
  byId("play").classList.remove("playing");
}

function play() {
  if (player.t >= view.end_s - 1e-6) player.t = 0;
  player.playing = true;
  byId("play").setAttribute("aria-label", "pause");
  byId("play").classList.add("playing");
  let last = performance.now();
  const step = now => {
    if (!player.playing) return;
    const t = player.t + player.speed * Math.max(0, now - last) / 1000;
    last = now;
    seek(t);
    if (t >= view.end_s) pause(); else requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

const toggle = () => (player.playing ? pause() : play());

// One camera frame on or back, of the first flight that has frames.
function stepFrame(count) {
  pause();
  const clock = columns.map(column => column.clock).find(Boolean);
  if (!clock) { seek(player.t + 0.05 * count); return; }
  const index = indexAt(clock, player.t) + count;
  seek(clock[Math.min(clock.length - 1, Math.max(0, index))]);
}

function stepMarker(direction) {
  pause();
  const times = columns.flatMap(column => column.content.markers.map(marker => marker.seconds)).sort((a, b) => a - b);
  const next = direction > 0
    ? times.find(time => time > player.t + 1e-3) : times.reverse().find(time => time < player.t - 1e-3);
  if (next !== undefined) seek(next);
}

const KEYS = {
  " ": toggle,
  ArrowRight: event => (event.shiftKey ? (pause(), seek(player.t + 1)) : stepFrame(1)),
  ArrowLeft: event => (event.shiftKey ? (pause(), seek(player.t - 1)) : stepFrame(-1)),
  Home: () => (pause(), seek(0)),
  End: () => (pause(), seek(view.end_s)),
  n: () => stepMarker(1),
  p: () => stepMarker(-1),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  0: () => setView(0, view.end_s),
};

function onKey(event) {
  const typing = event.target.closest?.("input, select, textarea, summary");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  if (event.key === " " && event.target.closest?.("button, a")) {
    if (event.target.id !== "play") return;
  }
  event.preventDefault();
  KEYS[event.key](event);
}

// #t=12.3: the moment of a link, and of the cursor once it rests.
function linkedTime() {
  const found = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  return found ? Number(found[1]) : null;
}

let linkTimer = 0;
function scheduleLink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    if (player.playing) return;
    history.replaceState(null, "", `#t=${+player.t.toFixed(2)}`);
  }, 250);
}

function applyTheme(name) {
  document.documentElement.style.colorScheme = name ?? "";
  readTheme();
  for (const column of columns) column.redraw();
  if (columns.length) seek(player.t);
}

function toggleTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.style.colorScheme || (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  try { localStorage.setItem("liquid-control-theme", next); } catch { /* storage may be off for files */ }
  applyTheme(next);
}

function storedTheme() {
  try { return localStorage.getItem("liquid-control-theme"); } catch { return null; }
}

// The time of a marker, or begin and end of what lasts.
function span(marker, digits) {
  const begin = marker.seconds.toFixed(digits), end = marker.end_s?.toFixed(digits);
  return end === undefined || end === begin ? `${begin} s` : `${begin}–${end} s`;
}

const MARK_PX = 14, MOST_ROWS = 4;

// Row of each marker, so that rules of the guard that act at one time are below each other.
function rowsOf(markers) {
  const free = [];
  return markers.map(marker => {
    if (marker.end_s === null) return 0;
    let row = free.findIndex(time => time <= marker.seconds);
    if (row < 0) row = free.length < MOST_ROWS ? free.length : MOST_ROWS - 1;
    free[row] = Math.max(free[row] ?? 0, marker.end_s);
    return row;
  });
}

// Markers on the timeline and as a list; a lane for each flight.
function addMarkers() {
  const lanes = byId("lanes"), list = byId("markers");
  columns.forEach((column, number) => {
    const lane = element("div", "lane"), rows = rowsOf(column.content.markers);
    lane.style.height = `${8 + MARK_PX * Math.max(1, ...rows.map(row => row + 1))}px`;
    const events = element("div", "marker-list");
    column.content.markers.forEach((marker, i) => {
      const mark = element("button", `mark ${marker.kind}`, marker.end_s === null ? "" : marker.text.replace(/^guard /, ""));
      mark.type = "button";
      mark.tabIndex = -1;
      mark.style.left = `${100 * marker.seconds / view.end_s}%`;
      mark.style.top = `${4 + MARK_PX * rows[i]}px`;
      if (marker.end_s !== null) mark.style.width = `${100 * (marker.end_s - marker.seconds) / view.end_s}%`;
      mark.title = mark.ariaLabel = `${span(marker, 2)}: ${marker.text}`;
      mark.addEventListener("pointerdown", event => event.stopPropagation());
      mark.addEventListener("click", () => { pause(); seek(marker.seconds); });
      lane.append(mark);
      const jump = element("button", `jump ${marker.kind}`, element("b", "", span(marker, 1)), ` ${marker.text}`);
      jump.type = "button";
      jump.addEventListener("click", () => { pause(); seek(marker.seconds); });
      events.append(jump);
    });
    if (columns.length > 1) events.prepend(element("span", "muted small", `${"AB"[number]}`));
    lanes.append(lane);
    list.append(events);
  });
}

function connect() {
  addMarkers();
  const slider = byId("timeline");
  slider.setAttribute("aria-valuemax", view.end_s.toFixed(2));
  scrubWith(slider, event => {
    const box = slider.getBoundingClientRect();
    return (event.clientX - box.left) / box.width * view.end_s;
  });
  byId("end").textContent = `${view.end_s.toFixed(1)} s`;
  byId("play").addEventListener("click", toggle);
  byId("speed").addEventListener("change", event => { player.speed = Number(event.target.value); event.target.blur(); });
  byId("theme").addEventListener("click", toggleTheme);
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", () => { const t = linkedTime(); if (t !== null) { pause(); seek(t); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => applyTheme(storedTheme()));
  let waiting = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      for (const column of columns) column.resize();
      seek(player.t);
    });
  }).observe(byId("columns"));
}

function start() {
  applyTheme(storedTheme());
  const elements = [...document.querySelectorAll("script.flight-data")];
  let flights;
  try {
    if (!elements.length) throw new DamagedBlock("there is none");
    flights = elements.map(readBlock);
  } catch (error) {
    const problem = byId("problem");
    problem.textContent = `The data of this page is damaged: ${error.message}. Open the original file, or write the page again.`;
    problem.hidden = false;
    byId("transport").hidden = true;
    return;
  }
  view.end_s = view.to = Math.max(1e-3, ...flights.map(flight => flight.content.end_s));
  const ranges = (group, title) => rangeOf(flights.flatMap(({ content, array }) => content.groups
    .filter(one => one.title === group).flatMap(one => one.plots)
    .filter(plot => plot.title === title).map(plot => ({ plot, array }))));
  const host = byId("columns");
  host.classList.toggle("two", flights.length > 1);
  for (const flight of flights) {
    const box = element("div", "column");
    host.append(box);
    columns.push(new Column(box, flight, ranges));
  }
  connect();
  player.t = Math.min(view.end_s, linkedTime() ?? 0);
  // uPlot lays out in a microtask; the cursor has a place after it.
  requestAnimationFrame(() => {
    drawNow();
    document.documentElement.dataset.openedMs = performance.now().toFixed(0);
    for (const column of columns) column.camera?.decodeAhead();
  });
}

document.addEventListener("DOMContentLoaded", start);
window.flightPage = { seek, player, view, columns };
