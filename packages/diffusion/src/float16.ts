/** Half precision as bits: Node 20 has no Float16Array, and ONNX Runtime takes float16 tensors as Uint16Array there. */

const float32 = new Float32Array(1);
const bits32 = new Uint32Array(float32.buffer);

/** Every half value as float32, by its 16 bits; 256 KB, made at the first use. */
let halfValues: Float32Array | undefined;

/** float32 to half bits, rounding to nearest, ties to even; too large becomes infinity. */
export function toHalf(values: ArrayLike<number>): Uint16Array {
  return Uint16Array.from({ length: values.length }, (_, index) => halfBits(values[index]!));
}

/** Half bits to float32, exactly. */
export function fromHalf(bits: Uint16Array): Float32Array {
  halfValues ??= Float32Array.from({ length: 65536 }, (_, half) => halfValue(half));
  const table = halfValues;
  return Float32Array.from(bits, (half) => table[half]!);
}

function halfBits(value: number): number {
  float32[0] = value;
  const bits = bits32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and above
  // Below 2^-14 halves are multiples of 2^-24; adding 0.5 lets float32 itself do that rounding.
  if (magnitude < 0x38800000) {
    float32[0] = Math.abs(float32[0]!) + 0.5;
    return sign | (bits32[0]! - 0x3f000000);
  }
  // Rebias the exponent (127 to 15) and drop 13 bits; a carry out of the fraction rightly raises the exponent.
  const roundUp = 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((magnitude - 0x38000000 + roundUp) >>> 13);
}

function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
