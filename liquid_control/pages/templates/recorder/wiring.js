// The wiring with live activity: a synapse is as strong as the neuron that feeds it.

const POSITIVE = "orange", NEGATIVE = "blue";
// Synapses of features that are less active, relative to a strong one, are left out.
const FAINTEST = 0.08;

class WiringDiagram {
  constructor(canvas, wiring, neurons, array) {
    this.canvas = canvas;
    this.names = neurons.names;
    this.seconds = array(neurons.seconds).values;
    this.states = array(neurons.maps[0].values).values;
    this.count = neurons.names.length;
    this.layers = wiring.layers;
    const sensory = array(wiring.sensory), recurrent = array(wiring.recurrent);
    this.inputs = sensory.shape[0];
    this.features = array(wiring.features)?.values;
    this.sensory = synapses(sensory);
    this.recurrent = synapses(recurrent);
    this.featureScale = this.features ? percentile(this.features, 0.99) || 1 : 1;
    this.selected = null;
    canvas.addEventListener("pointermove", event => {
      const box = canvas.getBoundingClientRect();
      this.select(this.nearest(event.clientX - box.left, event.clientY - box.top));
    });
    canvas.addEventListener("pointerleave", () => this.select(null));
  }

  select(neuron) {
    if (neuron === this.selected) return;
    this.selected = neuron;
    if (this.t !== undefined) this.seek(this.t);
    this.onSelect?.(neuron);
  }

  nearest(x, y) {
    let best = null, least = 18;
    this.places?.forEach(([px, py], i) => {
      const distance = Math.hypot(px - x, py - y);
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  resize() {
    this.fit = null;
  }

  layout(width, height) {
    const top = 14, bottom = height - 26, columns = this.layers.length;
    const x = column => 64 + (column + 1) / columns * (width - 146);
    const spread = (size, i) => (size === 1 ? (top + bottom) / 2 : top + 8 + (i / (size - 1)) * (bottom - top - 16));
    this.inputPlaces = Array.from({ length: this.inputs }, (_, i) => [26, top + ((i + 0.5) / this.inputs) * (bottom - top)]);
    this.places = [];
    this.layers.forEach(([, size], column) => {
      const bow = column < columns - 1 ? 16 : 0;
      for (let i = 0; i < size; i++) this.places.push([x(column) + (i % 2 ? bow : -bow), spread(size, i)]);
    });
    this.columns = this.layers.map(([role, size], column) => [x(column), `${size} ${role}`]);
  }

  seek(t) {
    this.t = t;
    if (!this.fit) {
      this.fit = fitCanvas(this.canvas);
      this.layout(this.fit.width, this.fit.height);
    }
    const { context: ctx, width, height } = this.fit;
    ctx.clearRect(0, 0, width, height);
    const frame = indexAt(this.seconds, t), states = this.states.subarray(frame * this.count, (frame + 1) * this.count);
    const features = this.features?.subarray(frame * this.inputs, (frame + 1) * this.inputs);
    const feature = i => (features ? features[i] / this.featureScale : 0);
    const selected = this.selected;
    const draw = (list, places, activity, faint) => {
      for (const [source, target, sign] of list) {
        if (selected !== null && target !== selected && (faint || source !== selected)) continue;
        const drive = sign * activity(source), strength = Math.min(1, Math.abs(drive));
        const base = selected !== null ? 0.35 : faint ? 0.05 : 0.12;
        const alpha = base + (1 - base) * strength * (faint && selected === null ? 0.3 : 0.85);
        if (faint && selected === null && strength < FAINTEST) continue;
        ctx.strokeStyle = withAlpha(theme[drive < 0 ? NEGATIVE : POSITIVE], alpha);
        ctx.lineWidth = faint ? 0.7 : 0.8 + 1.6 * strength;
        ctx.setLineDash(sign < 0 && (!faint || selected !== null) ? [3, 3] : []);
        const [x0, y0] = places[source], [x1, y1] = this.places[target];
        ctx.beginPath();
        if (places === this.places && source === target) {
          ctx.arc(x1 + 9, y1 - 9, 6, 0, 7);
        } else if (faint) {
          ctx.moveTo(x0, y0);
          ctx.lineTo(x1, y1);
        } else if (places === this.places && Math.abs(x1 - x0) < 50) {
          ctx.moveTo(x0, y0);
          ctx.quadraticCurveTo(Math.max(x0, x1) + 26, (y0 + y1) / 2, x1, y1);
        } else {
          ctx.moveTo(x0, y0);
          const middle = (x0 + x1) / 2;
          ctx.bezierCurveTo(middle, y0, middle, y1, x1, y1);
        }
        ctx.stroke();
      }
      ctx.setLineDash([]);
    };
    draw(this.sensory, this.inputPlaces, feature, true);
    draw(this.recurrent, this.places, source => states[source], false);
    const high = Math.max(1, this.inputPlaces.length > 1 ? this.inputPlaces[1][1] - this.inputPlaces[0][1] - 0.6 : 8);
    this.inputPlaces.forEach(([x, y], i) => {
      const value = feature(i);
      ctx.fillStyle = features ? withAlpha(theme[value < 0 ? NEGATIVE : POSITIVE], 0.15 + 0.85 * Math.min(1, Math.abs(value))) : theme.muted;
      ctx.fillRect(x - 6, y - high / 2, 12, high);
    });
    this.places.forEach(([x, y], i) => this.neuron(ctx, x, y, states[i], i === selected));
    ctx.font = AXIS_FONT;
    ctx.textAlign = "center";
    ctx.fillStyle = theme.muted;
    ctx.fillText(`${this.inputs} features`, Math.max(38, 26), height - 6);
    for (const [x, text] of this.columns) ctx.fillText(text, x, height - 6);
    this.motors(ctx, states);
    this.canvas.dataset.state = states[this.count - 1].toFixed(3);
  }

  neuron(ctx, x, y, state, chosen) {
    ctx.beginPath();
    ctx.arc(x, y, chosen ? 9 : 7.5, 0, 7);
    ctx.fillStyle = theme.page;
    ctx.fill();
    ctx.fillStyle = withAlpha(theme[state < 0 ? NEGATIVE : POSITIVE], Math.min(1, Math.abs(state)));
    ctx.fill();
    ctx.lineWidth = chosen ? 2 : 1.2;
    ctx.strokeStyle = chosen ? theme.ink : theme.muted;
    ctx.stroke();
  }

  // Names of the commands beside the motor neurons.
  motors(ctx, states) {
    const size = this.layers[this.layers.length - 1][1];
    if (size !== 4) return;
    ctx.textAlign = "left";
    ctx.fillStyle = theme.muted;
    ["forward", "left", "up", "yaw"].forEach((name, i) => {
      const [x, y] = this.places[this.count - 4 + i];
      ctx.fillText(name, x + 13, y + 4);
    });
  }
}

function synapses(matrix) {
  const [sources, targets] = matrix.shape, found = [];
  for (let s = 0; s < sources; s++) {
    for (let t = 0; t < targets; t++) if (matrix.values[s * targets + t]) found.push([s, t, matrix.values[s * targets + t]]);
  }
  return found;
}

function percentile(values, part) {
  const step = Math.max(1, Math.floor(values.length / 5000)), sample = [];
  for (let i = 0; i < values.length; i += step) sample.push(Math.abs(values[i]));
  sample.sort((a, b) => a - b);
  return sample[Math.floor(part * (sample.length - 1))];
}
