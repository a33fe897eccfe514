/** For sizes that must suit two rules at once, such as the contract's 8 and a model's own multiple. */

/** The smallest whole number that both positive whole numbers divide. */
export function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
