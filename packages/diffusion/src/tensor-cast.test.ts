import { describe, expect, it } from 'vitest';
import { castFeed, castOutput } from './tensor-cast.ts';

const declare = (type: string, shape: (number | string)[]) => ({ name: 'timestep', type, shape });

describe('castFeed', () => {
  it.each([
    ['float32', [], Float32Array.of(951.75), []],
    ['float64', [1], Float64Array.of(951.75), [1]],
    ['int64', ['steps'], BigInt64Array.of(951n), [1]],
    ['int32', [], Int32Array.of(951), []],
    ['float16', [1], Uint16Array.of(0x6370), [1]], // 952: halves near 951 are 0.5 apart, and 951.75 is half-way to even
  ] as const)('casts a fractional timestep to %s of shape %o', (type, shape, data, dims) => {
    expect(castFeed({ data: [951.75], dims: [] }, declare(type, [...shape]))).toEqual({ type, data, dims });
  });

  it('passes float32 through without a copy', () => {
    const data = new Float32Array(4);
    expect(castFeed({ data, dims: [1, 4] }, declare('float32', ['batch', 4])).data).toBe(data);
  });

  it('refuses a rank that it cannot bridge and a type that it does not know', () => {
    expect(() => castFeed({ data: [1, 2], dims: [2] }, declare('float32', []))).toThrow(
      /expected 1 dimensions/,
    );
    expect(() => castFeed({ data: [1], dims: [1, 1] }, declare('float32', ['batch']))).toThrow(
      /shape \[batch\]/,
    );
    expect(() => castFeed({ data: [1], dims: [] }, declare('uint8', []))).toThrow(/unsupported type uint8/);
  });
});

describe('castOutput', () => {
  it('reads float32, float64 and half bits as float32', () => {
    expect(castOutput('y', 'float32', Float32Array.of(1.5))).toEqual(Float32Array.of(1.5));
    expect(castOutput('y', 'float64', Float64Array.of(1.5))).toEqual(Float32Array.of(1.5));
    expect(castOutput('y', 'float16', Uint16Array.of(0x3e00))).toEqual(Float32Array.of(1.5));
    expect(() => castOutput('y', 'int64', BigInt64Array.of(1n))).toThrow(/unsupported type int64/);
  });
});
