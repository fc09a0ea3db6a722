// Decoding of the flight's data: one checked block of base64 (see pages/data_block.py).

class DamagedBlock extends Error {}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) value = CRC_TABLE[(value ^ bytes[i]) & 255] ^ (value >>> 8);
  return ((value ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

function fromBase64(text) {
  try {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const letters = atob(text), bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  } catch {
    throw new DamagedBlock("it is not base64");
  }
}

const ARRAY_TYPES = {
  float64: Float64Array, float32: Float32Array, uint32: Uint32Array, uint8: Uint8Array, int8: Int8Array,
};

// Returns the content of a block, and a function from an index to {values, shape}.
function readBlock(element) {
  const { bytes, crc32: checksum } = element.dataset;
  const whole = fromBase64(element.textContent), found = crc32(whole);
  if (String(whole.length) !== bytes || found !== checksum) {
    throw new DamagedBlock(
      `expected ${bytes} bytes with checksum ${checksum}, got ${whole.length} with ${found}`);
  }
  if (String.fromCharCode(...whole.subarray(0, 4)) !== "LCF1") throw new DamagedBlock("another format");
  const start = 8 + new DataView(whole.buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(whole.subarray(8, start)));
  const array = index => {
    if (index === null || index === undefined) return null;
    const { type, shape, at } = header.arrays[index];
    const count = shape.reduce((product, side) => product * side, 1);
    return { values: new ARRAY_TYPES[type](whole.buffer, start + at, count), shape };
  };
  return { content: header.content, array };
}

// Index of the newest time at or before t; 0 before the first.
function indexAt(seconds, t) {
  let low = 0, high = seconds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (seconds[middle] <= t + 1e-9) low = middle + 1; else high = middle;
  }
  return Math.max(0, low - 1);
}
