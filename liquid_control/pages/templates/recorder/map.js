// Top view: trail, trees, paths and the vehicle, turned so that the trail runs to the right.

const FOLLOW_M = 22;
// Height of the strip with scale, north and wind, pixels.
const FOOT = 28;

class FlightMap {
  constructor(canvas, map, array) {
    this.canvas = canvas;
    this.follow = false;
    const points = index => rows(array(index));
    this.corridor = map.corridor_m;
    this.trailWidth = map.trail_width_m;
    this.paths = map.paths.map(path => ({
      ...path, seconds: array(path.seconds).values, position: points(path.position),
      heading: array(path.heading)?.values, wind: path.wind === null ? null : points(path.wind),
    }));
    this.trail = points(map.trail);
    const chord = this.trail.length > 1 ? this.trail : this.paths[0]?.position ?? [];
    const [first, last] = [chord[0] ?? [0, 0], chord[chord.length - 1] ?? [1, 0]];
    this.angle = -Math.atan2(last[1] - first[1], last[0] - first[0]);
    const [c, s] = [Math.cos(this.angle), Math.sin(this.angle)];
    const turn = ([x, y, ...rest]) => [c * x - s * y, s * x + c * y, ...rest];
    this.turn = turn;
    this.trail = this.trail.map(turn);
    this.trunks = points(map.trunks).map(turn);
    this.targets = points(map.targets).map(turn);
    this.bars = points(map.bars).map(([x, y, u, v, r]) => [...turn([x, y]), ...turn([u, v]), r]);
    for (const path of this.paths) path.position = path.position.map(turn);
    this.bounds();
  }

  bounds() {
    const beyond = this.corridor ?? 2.5;
    const all = [...this.trail, ...this.targets, ...this.paths.flatMap(path => path.position)];
    const xs = all.map(point => point[0]), ys = all.map(point => point[1]);
    const least = list => list.reduce((a, b) => Math.min(a, b), Infinity);
    const most = list => list.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!all.length) { this.box = [0, -1, 1, 1]; return; }
    this.box = [least(xs) - 1.5, least(ys) - beyond - 0.8, most(xs) + 1.5, most(ys) + beyond + 0.8];
  }

  resize() {
    this.fit = null;
  }

  // Returns x and y of the vehicle in the turned map.
  place(t) {
    const path = this.paths[0];
    if (!path || !path.seconds.length) return [0, 0];
    const i = indexAt(path.seconds, t), j = Math.min(i + 1, path.seconds.length - 1);
    const span = path.seconds[j] - path.seconds[i];
    const part = span > 0 ? Math.min(1, Math.max(0, (t - path.seconds[i]) / span)) : 0;
    const [a, b] = [path.position[i], path.position[j]];
    return [a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])];
  }

  seek(t) {
    this.t = t;
    const { context: ctx, width, height } = this.fit ??= fitCanvas(this.canvas);
    ctx.clearRect(0, 0, width, height);
    const [left, low, right, high] = this.box, vehicle = this.place(t);
    const above = height - FOOT;
    let scale = Math.min(width / (right - left), above / (high - low));
    let middle = [(left + right) / 2, (low + high) / 2];
    if (this.follow) {
      scale = Math.max(scale, width / FOLLOW_M);
      middle = vehicle;
    }
    const at = ([x, y]) => [width / 2 + scale * (x - middle[0]), above / 2 - scale * (y - middle[1])];
    this.ground(ctx, at, scale, width, height);
    ctx.clearRect(0, above, width, FOOT);
    for (const path of [...this.paths].reverse()) this.path(ctx, at, path, t);
    this.vehicle(ctx, at(vehicle), t);
    this.foot(ctx, scale, width, height, t);
    this.canvas.dataset.x = vehicle[0].toFixed(3);
    this.canvas.dataset.y = vehicle[1].toFixed(3);
  }

  ground(ctx, at, scale, width, height) {
    const line = (points, metres, colour, dash = [], cap = "butt") => {
      ctx.beginPath();
      points.forEach((point, i) => (i ? ctx.lineTo(...at(point)) : ctx.moveTo(...at(point))));
      ctx.strokeStyle = colour;
      ctx.lineWidth = Math.max(1, metres * scale);
      ctx.lineJoin = "round";
      ctx.lineCap = cap;
      ctx.setLineDash(dash);
      ctx.stroke();
      ctx.setLineDash([]);
    };
    if (this.trail.length > 1) {
      if (this.corridor !== null) {
        line(this.trail, 2 * this.corridor, theme.corridor);
        line(this.trail, this.trailWidth, theme.trail);
      } else {
        line(this.trail, 0, theme.muted, [4, 5]);
      }
    }
    for (const [x, y, u, v, r] of this.bars) line([[x, y], [u, v]], 2 * r, theme.trunk, [], "round");
    ctx.fillStyle = theme.trunk;
    for (const [x, y, r] of this.trunks) {
      const [px, py] = at([x, y]), radius = Math.max(1.3, r * scale);
      if (px < -radius || py < -radius || px > width + radius || py > height + radius) continue;
      ctx.beginPath();
      ctx.arc(px, py, radius, 0, 7);
      ctx.fill();
    }
    this.targets.forEach(([x, y, r], i) => {
      const [px, py] = at([x, y]);
      ctx.fillStyle = theme.red;
      ctx.beginPath();
      ctx.arc(px, py, Math.max(4, r * scale), 0, 7);
      ctx.fill();
      if (this.targets.length > 1) this.text(ctx, String(i + 1), px, py + 4, "#fff", "center");
    });
  }

  // The flown part of a path is drawn strongly, the rest faintly.
  path(ctx, at, path, t) {
    const now = indexAt(path.seconds, t), main = path === this.paths[0];
    const draw = (from, to, alpha, width) => {
      ctx.beginPath();
      for (let i = from; i <= to; i++) (i > from ? ctx.lineTo(...at(path.position[i])) : ctx.moveTo(...at(path.position[i])));
      ctx.strokeStyle = withAlpha(theme[path.colour], alpha);
      ctx.lineWidth = width;
      ctx.stroke();
    };
    if (path.position.length < 2) return;
    draw(0, path.position.length - 1, 0.35, main ? 1.4 : 1.2);
    draw(0, now, main ? 1 : 0.8, main ? 2.4 : 1.6);
  }

  vehicle(ctx, [x, y], t) {
    const path = this.paths[0];
    if (!path) return;
    const now = indexAt(path.seconds, t);
    const heading = path.heading ? path.heading[now] + this.angle : null;
    ctx.save();
    ctx.translate(x, y);
    ctx.fillStyle = theme.ink;
    ctx.strokeStyle = theme.page;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    if (heading === null || !Number.isFinite(heading)) {
      ctx.arc(0, 0, 5, 0, 7);
    } else {
      ctx.rotate(-heading);
      ctx.moveTo(10, 0);
      ctx.lineTo(-6, 5.5);
      ctx.lineTo(-3, 0);
      ctx.lineTo(-6, -5.5);
      ctx.closePath();
    }
    ctx.fill();
    ctx.stroke();
    ctx.restore();
  }

  // Scale, north, and the wind at the vehicle.
  foot(ctx, scale, width, height, t) {
    const length = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find(metres => metres * scale > 42) ?? 1000;
    const y = height - 12;
    ctx.strokeStyle = theme.muted;
    ctx.lineWidth = 2;
    ctx.beginPath();
    ctx.moveTo(12, y);
    ctx.lineTo(12 + length * scale, y);
    ctx.stroke();
    this.text(ctx, `${length} m`, 12 + length * scale / 2, y - 6, theme.muted, "center");
    const north = this.turn([0, 1]);
    let x = 12 + length * scale + 34;
    this.arrow(ctx, x, y - 4, north, 9, theme.muted, 1.5);
    this.text(ctx, "north", x + 16, y, theme.muted);
    const path = this.paths[0], wind = path?.wind?.[indexAt(path.seconds, t)];
    if (!wind) return;
    const speed = Math.hypot(...wind);
    x += 92;
    if (speed > 0.05) this.arrow(ctx, x, y - 4, this.turn(wind).map(value => value / speed), 6 + Math.min(10, speed), theme.orange, 2.2);
    this.text(ctx, `wind ${speed.toFixed(1)} m/s`, x + 22, y, theme.orange);
    this.canvas.dataset.wind = speed.toFixed(2);
  }

  arrow(ctx, x, y, [dx, dy], reach, colour, width) {
    const tip = [x + reach * dx, y - reach * dy], back = [x - reach * dx, y + reach * dy];
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.lineWidth = width;
    ctx.beginPath();
    ctx.moveTo(...back);
    ctx.lineTo(...tip);
    ctx.stroke();
    const head = 5, side = 3.4;
    ctx.beginPath();
    ctx.moveTo(tip[0] + 2 * dx, tip[1] - 2 * dy);
    ctx.lineTo(tip[0] - head * dx - side * dy, tip[1] + head * dy - side * dx);
    ctx.lineTo(tip[0] - head * dx + side * dy, tip[1] + head * dy + side * dx);
    ctx.fill();
  }

  text(ctx, text, x, y, colour, align = "left") {
    ctx.font = AXIS_FONT;
    ctx.textAlign = align;
    ctx.fillStyle = colour;
    ctx.fillText(text, x, y);
  }
}

// Rows of a matrix as arrays.
function rows(matrix) {
  if (!matrix) return [];
  const [count, width] = matrix.shape;
  return Array.from({ length: count }, (_, i) => Array.from(matrix.values.subarray(i * width, (i + 1) * width)));
}
