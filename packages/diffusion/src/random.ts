/** PyTorch's CPU normal noise for float32, so that a seed gives the picture that diffusers gives with a CPU generator. */

const STATE_SIZE = 624;
const SHIFT_SIZE = 397;
/** `torch.randn` switches to its blocked Box-Muller at this many values (ATen/native/cpu/DistributionTemplates.h). */
const BLOCK = 16;

/** A seeded source of N(0, 1) numbers; draws advance the state, as a `torch.Generator` does. */
export interface NoiseGenerator {
  /** Draws what `torch.randn(size, generator=g)` draws: float32, at most 4.8e-7 apart (vectorised log and cos in torch). */
  normal(size: number): Float32Array;
}

/** The counterpart of `torch.Generator().manual_seed(seed)`; torch keeps the low 32 bits of the seed. */
export function createNoiseGenerator(seed: number): NoiseGenerator {
  const nextUint32 = createMersenneTwister(seed);
  /** The second half of a scalar Box-Muller pair; torch keeps it across calls, also across blocked ones. */
  let cachedNormal: number | undefined;

  function nextScalar(): number {
    if (cachedNormal !== undefined) {
      const cached = cachedNormal;
      cachedNormal = undefined;
      return cached;
    }
    const first = nextDouble(nextUint32);
    const radius = Math.sqrt(-2 * Math.log1p(-nextDouble(nextUint32)));
    const angle = 2 * Math.PI * first;
    cachedNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  function normal(size: number): Float32Array {
    const values = new Float32Array(size);
    if (size < BLOCK) {
      for (let index = 0; index < size; index++) values[index] = nextScalar();
      return values;
    }
    for (let index = 0; index < size; index++) values[index] = nextUniform(nextUint32);
    const fullBlocksEnd = size - (size % BLOCK);
    for (let start = 0; start < fullBlocksEnd; start += BLOCK) boxMullerBlock(values, start);
    if (fullBlocksEnd < size) {
      // The rest is not topped up: torch draws one more block over the last 16 slots, finished values included.
      for (let index = size - BLOCK; index < size; index++) values[index] = nextUniform(nextUint32);
      boxMullerBlock(values, size - BLOCK);
    }
    return values;
  }

  return { normal };
}

/** Turns 16 uniforms into 16 normals in place: value j pairs with value j + 8. Every step rounds to float32, as torch's does. */
function boxMullerBlock(values: Float32Array, start: number): void {
  const { fround } = Math;
  for (let index = start; index < start + BLOCK / 2; index++) {
    const uniform = fround(1 - values[index]!);
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(uniform)))));
    const angle = fround(fround(2 * Math.PI) * values[index + BLOCK / 2]!);
    values[index] = radius * fround(Math.cos(angle));
    values[index + BLOCK / 2] = radius * fround(Math.sin(angle));
  }
}

/** A float32 uniform in [0, 1) from the low 24 bits of one draw. */
function nextUniform(nextUint32: () => number): number {
  return (nextUint32() & 0xffffff) * 2 ** -24;
}

/** A float64 uniform in [0, 1) from 53 bits of two draws, the first being the high word. */
function nextDouble(nextUint32: () => number): number {
  const high = nextUint32() & 0x1fffff;
  return (high * 2 ** 32 + nextUint32()) * 2 ** -53;
}

/** MT19937 with the reference seeding (Matsumoto and Nishimura, 2002): returns a function that draws 32 bits. */
function createMersenneTwister(seed: number): () => number {
  const state = new Uint32Array(STATE_SIZE);
  state[0] = seed;
  for (let index = 1; index < STATE_SIZE; index++) {
    const previous = state[index - 1]!;
    state[index] = Math.imul(1812433253, previous ^ (previous >>> 30)) + index;
  }
  let position = STATE_SIZE;

  function twist(): void {
    for (let index = 0; index < STATE_SIZE; index++) {
      const mixed = (state[index]! & 0x80000000) | (state[(index + 1) % STATE_SIZE]! & 0x7fffffff);
      const shifted = state[(index + SHIFT_SIZE) % STATE_SIZE]! ^ (mixed >>> 1);
      state[index] = mixed & 1 ? shifted ^ 0x9908b0df : shifted;
    }
    position = 0;
  }

  return function nextUint32() {
    if (position === STATE_SIZE) twist();
    let bits = state[position++]!;
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  };
}
