/** The defaults of `defineString`, `defineInt` and their kin, which only the Firebase CLI applies. */

/** What is needed of an entry of `declaredParams` from `firebase-functions/params`. */
export type DeclaredParameter = { name: string; options?: object | undefined };

/**
 * The environment variables that the CLI would set for parameters that are not set yet: their declared defaults, where
 * those are plain values. Expressions (`projectID` and the like) are left to the caller.
 */
export function parameterDefaults(
  declared: readonly DeclaredParameter[],
  environment: Record<string, string | undefined>,
): Record<string, string> {
  const defaults: Record<string, string> = {};
  for (const { name, options } of declared) {
    const value = (options as { default?: unknown } | undefined)?.default;
    if (environment[name] !== undefined || value === undefined) continue;
    if (Array.isArray(value)) defaults[name] = JSON.stringify(value);
    else if (['string', 'number', 'boolean'].includes(typeof value)) defaults[name] = String(value);
  }
  return defaults;
}
