/** Rounding as numpy, torch and Python do it. */

/** Rounds to the nearest integer, halves to the even one (0.5 -> 0, 1.5 -> 2); Math.round sends halves up. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction < 0.5) return floor;
  if (fraction > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
