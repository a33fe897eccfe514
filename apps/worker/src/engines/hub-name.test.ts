import { delimiter } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHubName, parseHubName, splitModels } from './hub-name.ts';

describe('a model of the hub', () => {
  it.each([
    ['hf:org/model', { repository: 'org/model' }],
    ['hf:Org-1/My.Model_v2', { repository: 'Org-1/My.Model_v2' }],
    ['hf:org/model@v1.0', { repository: 'org/model', revision: 'v1.0' }],
    ['hf:org/model@refs/pr/3', { repository: 'org/model', revision: 'refs/pr/3' }],
  ])('is read from %s', (entry, name) => {
    expect(parseHubName(entry)).toEqual(name);
    expect(formatHubName(name)).toBe(entry);
  });

  it.each(['hf:', 'hf:model', 'hf:org/a/b', 'hf:org/model@', 'hf:org/mo del', 'hf://org/model', 'org/model'])(
    'is not %j',
    (entry) => expect(parseHubName(entry)).toBeNull(),
  );
});

describe('a list of models', () => {
  it('has folders and models of the hub between its delimiters', () => {
    const list = ['hf:org/model@v1', '/models/hf', './hf', 'hf:org/other', '/models/tiny-wan'];
    expect(splitModels(list.join(delimiter))).toEqual(list);
  });

  it('gives back whatever was joined', () => {
    const part = fc.stringMatching(/^[\w.-]+$/);
    const hub = fc.tuple(part, part).map(([owner, name]) => `hf:${owner}/${name}`);
    const folder = part.map((name) => `/${name}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(hub, folder), { minLength: 1 }), (list) => {
        expect(splitModels(list.join(delimiter))).toEqual(list);
      }),
    );
  });
});
