/** Reads as much of a Dockerfile as ours uses: stages, and their instructions in order. */

/** One instruction: `COPY --from=build a b` is `{keyword: 'COPY', flags: {from: 'build'}, text: 'a b'}`. */
interface Instruction {
  keyword: string;
  flags: Record<string, string>;
  text: string;
}

/** One `FROM base AS name` and what follows it. */
export interface Stage {
  name: string;
  base: string;
  instructions: Instruction[];
}

/** @throws Error for instructions before the first FROM, and for stages without a name */
export function parseDockerfile(text: string): Stage[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  const stages: Stage[] = [];
  for (const line of lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')) {
    const instruction = parseInstruction(line);
    if (instruction.keyword !== 'FROM') {
      const stage = stages.at(-1);
      if (!stage) throw new Error(`No FROM comes before: ${line}`);
      stage.instructions.push(instruction);
      continue;
    }
    const [, base, name] = /^(\S+) AS (\S+)$/.exec(instruction.text) ?? [];
    if (!base || !name) throw new Error(`Expected FROM image AS name, but found: ${line}`);
    stages.push({ name, base, instructions: [] });
  }
  return stages;
}

function parseInstruction(line: string): Instruction {
  const [, keyword, flagText, text] = /^(\w+)((?: --\S+)*) (.*)$/.exec(line.trim()) ?? [];
  if (keyword === undefined || flagText === undefined || text === undefined) {
    throw new Error(`This is no instruction: ${line}`);
  }
  const flags = [...flagText.matchAll(/--([\w-]+)=(\S+)/g)].map(([, name, value]) => [name, value]);
  return { keyword: keyword.toUpperCase(), flags: Object.fromEntries(flags), text };
}

/** The values of `ENV a=1 b=2`. */
export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = textsOf(stage, 'ENV').flatMap((text) => text.split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
}

/** What follows every `keyword` of the stage. */
export function textsOf(stage: Stage, keyword: string): string[] {
  return stage.instructions.filter((instruction) => instruction.keyword === keyword).map(({ text }) => text);
}
