// Camera frames: JPEG files, decoded when the time cursor needs them.

const KEPT_PIXELS = 16e6;

// Decoded ahead while the browser idles, as many as memory allows; the oldest are dropped first.
class Pictures {
  constructor(track, array) {
    this.seconds = array(track.seconds).values;
    this.jpeg = new Blob([array(track.jpeg).values]);
    this.ends = array(track.ends).values;
    this.size = track.size;
    this.bitmaps = new Map();
    this.kept = Math.max(16, Math.floor(KEPT_PIXELS / (this.size[0] * this.size[1])));
  }

  // Decodes the frames after `from` while there is time and room.
  decodeAhead(from = 0) {
    requestIdleCallback?.(async deadline => {
      let index = from;
      do {
        if (index >= Math.min(this.ends.length, this.kept)) return;
        if (!this.bitmaps.has(index)) await this.bitmap(index).catch(() => {});
        index += 1;
      } while (deadline.timeRemaining() > 2);
      this.decodeAhead(index);
    });
  }

  // Returns a promise of the bitmap of a frame.
  bitmap(index) {
    let found = this.bitmaps.get(index);
    if (found) {
      this.bitmaps.delete(index);
    } else {
      const file = this.jpeg.slice(index ? this.ends[index - 1] : 0, this.ends[index], "image/jpeg");
      found = createImageBitmap(file);
    }
    this.bitmaps.set(index, found);
    if (this.bitmaps.size > this.kept) {
      const [oldest, bitmap] = this.bitmaps.entries().next().value;
      this.bitmaps.delete(oldest);
      bitmap.then(one => one.close(), () => {});
    }
    return found;
  }
}

// Shows the frame under the cursor; `paint(context, bitmaps)` draws it. While one frame is decoded,
// only the newest request waits.
class FrameCanvas {
  constructor(canvas, tracks, paint) {
    this.canvas = canvas;
    this.tracks = tracks;
    this.paint = paint;
    this.wanted = this.shown = -1;
    this.busy = false;
    [canvas.width, canvas.height] = tracks[0].size;
    canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
  }

  seek(t) {
    this.wanted = indexAt(this.tracks[0].seconds, t);
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    while (this.wanted !== this.shown) {
      const index = this.wanted, t = this.tracks[0].seconds[index];
      try {
        const bitmaps = await Promise.all(
          this.tracks.map(track => track.bitmap(indexAt(track.seconds, t))));
        this.paint(this.canvas.getContext("2d", { willReadFrequently: this.tracks.length > 1 }), bitmaps);
      } catch {
        this.canvas.title = `the picture at ${t.toFixed(2)} s cannot be decoded`;
      }
      this.shown = index;
      this.canvas.dataset.frame = index;
    }
    this.busy = false;
    const next = this.wanted + 1;
    if (next < this.tracks[0].seconds.length) this.tracks[0].bitmap(next).catch(() => {});
  }
}

function paintPicture(context, [bitmap]) {
  context.drawImage(bitmap, 0, 0, context.canvas.width, context.canvas.height);
}

// Draws the picture without colour and the saliency above it.
function saliencyPainter() {
  const layer = document.createElement("canvas");
  return (context, [bitmap, map]) => {
    layer.width = map.width;
    layer.height = map.height;
    const above = layer.getContext("2d", { willReadFrequently: true });
    above.drawImage(map, 0, 0);
    const image = above.getImageData(0, 0, map.width, map.height), pixels = image.data;
    for (let at = 0; at < pixels.length; at += 4) {
      const entry = 4 * pixels[at];
      for (let part = 0; part < 4; part++) pixels[at + part] = HEAT[entry + part];
    }
    above.putImageData(image, 0, 0);
    const { width, height } = context.canvas;
    context.filter = "grayscale(1) brightness(0.7)";
    context.drawImage(bitmap, 0, 0, width, height);
    context.filter = "none";
    context.drawImage(layer, 0, 0, width, height);
  };
}
