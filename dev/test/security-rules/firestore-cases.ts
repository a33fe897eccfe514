/** What firebase/firestore.rules must allow and deny. */
import type { CaseFields, RulesCase } from './rules-case.ts';

const now = new Date('2026-01-02T03:04:05Z');
const earlier = new Date('2026-01-01T00:00:00Z');

/** A mark with what it must have. */
const mark: CaseFields = { media_type: 'image', created_at: now };
const fullMark: CaseFields = { ...mark, favorite: true, title: 'Sea', trashed_at: now };
const markPath = 'generations/ada/marks/f-1';

const ada = { uid: 'ada' } as const;
const may = (rulesCase: Omit<RulesCase, 'allowed'>): RulesCase => ({ ...rulesCase, allowed: true });
const mayNot = (rulesCase: Omit<RulesCase, 'allowed'>): RulesCase => ({ ...rulesCase, allowed: false });

const generations = ['images', 'videos'].flatMap((media): RulesCase[] => {
  const path = `generations/ada/${media}/f-1`;
  const list = `generations/ada/${media}/*`;
  const before = { status: 'completed' };
  return [
    may({ ...ada, method: 'get', path, before }),
    may({ ...ada, method: 'get', path }),
    may({ ...ada, method: 'list', path: list }),
    ...['bob', null].flatMap((uid) => [
      mayNot({ uid, method: 'get', path, before }),
      mayNot({ uid, method: 'list', path: list }),
    ]),
    mayNot({ ...ada, method: 'create', path, after: before }),
    mayNot({ ...ada, method: 'create', path, after: mark }),
    mayNot({ ...ada, method: 'update', path, before: mark, after: fullMark }),
    mayNot({ ...ada, method: 'delete', path, before }),
    mayNot({ ...ada, method: 'get', path: `${path}/deeper/a` }),
    mayNot({ ...ada, method: 'list', path: `${path}/deeper/*` }),
    // A collection group has other users' documents too.
    mayNot({ ...ada, method: 'list', path: `**/${media}/*` }),
    mayNot({ ...ada, method: 'list', path: `generations/*/${media}/*` }),
  ];
});

const reading: RulesCase[] = [
  may({ ...ada, method: 'get', path: markPath, before: mark }),
  may({ ...ada, method: 'list', path: 'generations/ada/marks/*' }),
  may({ ...ada, method: 'delete', path: markPath, before: mark }),
  ...['bob', null].flatMap((uid) => [
    mayNot({ uid, method: 'get', path: markPath, before: mark }),
    mayNot({ uid, method: 'list', path: 'generations/ada/marks/*' }),
    mayNot({ uid, method: 'delete', path: markPath, before: mark }),
    mayNot({ uid, method: 'create', path: markPath, after: mark }),
    mayNot({ uid, method: 'update', path: markPath, before: mark, after: fullMark }),
  ]),
  mayNot({ ...ada, method: 'list', path: '**/marks/*' }),
  mayNot({ ...ada, method: 'get', path: `${markPath}/deeper/a` }),
  mayNot({ ...ada, method: 'create', path: `${markPath}/deeper/a`, after: mark }),
  mayNot({ ...ada, method: 'delete', path: `${markPath}/deeper/a`, before: mark }),
  mayNot({ ...ada, method: 'update', path: `${markPath}/deeper/a`, before: mark, after: fullMark }),
];

/** Marks of every shape that is right. */
const rightMarks: CaseFields[] = [
  mark,
  fullMark,
  { ...mark, media_type: 'video' },
  { ...mark, favorite: false },
  { ...mark, title: '' },
  { ...mark, title: 'é'.repeat(200) },
  { ...mark, trashed_at: null },
];

/** Marks that are wrong in one thing. */
const wrongMarks: CaseFields[] = [
  {},
  { created_at: now },
  { media_type: 'image' },
  { ...mark, media_type: 'sound' },
  { ...mark, media_type: '' },
  { ...mark, media_type: 'imagex' },
  { ...mark, media_type: 'videox' },
  { ...mark, media_type: ['image'] },
  { ...mark, created_at: 'today' },
  { ...mark, created_at: 1_700_000_000 },
  { ...mark, created_at: true },
  { ...mark, created_at: null },
  { ...mark, favorite: 'yes' },
  { ...mark, favorite: 1 },
  { ...mark, favorite: null },
  { ...mark, title: 7 },
  { ...mark, title: true },
  { ...mark, title: null },
  { ...mark, title: ['a'] },
  { ...mark, title: 'a'.repeat(201) },
  { ...mark, trashed_at: 'today' },
  { ...mark, trashed_at: 7 },
  { ...mark, trashed_at: false },
  { ...mark, status: 'completed' },
  { ...mark, '': 1 },
  ...['media_type', 'created_at', 'favorite', 'title', 'trashed_at'].map((name) => ({
    ...mark,
    [`${name}x`]: 1,
  })),
];

const writing: RulesCase[] = [
  ...rightMarks.flatMap((after) => [
    may({ ...ada, method: 'create', path: markPath, after }),
    may({
      ...ada,
      method: 'update',
      path: markPath,
      before: { ...fullMark, media_type: after['media_type'] },
      after,
    }),
  ]),
  ...wrongMarks.flatMap((after) => [
    mayNot({ ...ada, method: 'create', path: markPath, after }),
    mayNot({ ...ada, method: 'update', path: markPath, before: after, after }),
    mayNot({ ...ada, method: 'update', path: markPath, before: mark, after }),
  ]),
  // What a mark is about does not change.
  mayNot({ ...ada, method: 'update', path: markPath, before: mark, after: { ...mark, media_type: 'video' } }),
  mayNot({ ...ada, method: 'update', path: markPath, before: mark, after: { ...mark, created_at: earlier } }),
  mayNot({ ...ada, method: 'update', path: markPath, before: { created_at: now }, after: mark }),
  mayNot({ ...ada, method: 'update', path: markPath, before: { ...mark, old: 1 }, after: mark }),
  may({ ...ada, method: 'update', path: markPath, before: mark, after: mark }),
  may({ ...ada, method: 'update', path: markPath, before: mark, after: { ...mark, title: 'New' } }),
  may({
    ...ada,
    method: 'update',
    path: markPath,
    before: fullMark,
    after: { ...fullMark, favorite: false },
  }),
  may({ ...ada, method: 'update', path: markPath, before: fullMark, after: mark }),
  // Its id is a file_uid.
  may({ ...ada, method: 'create', path: `generations/ada/marks/${'a'.repeat(128)}`, after: mark }),
  mayNot({ ...ada, method: 'create', path: `generations/ada/marks/${'a'.repeat(129)}`, after: mark }),
  mayNot({ ...ada, method: 'create', path: 'generations/ada/marks/a_b', after: mark }),
  mayNot({ ...ada, method: 'create', path: 'generations/ada/marks/f-1x.', after: mark }),
];

const models: RulesCase[] = [
  ...['ada', 'bob'].flatMap((uid) => [
    may({ uid, method: 'get', path: 'firepod_models/sdxl', before: { id: 'sdxl' } }),
    may({ uid, method: 'list', path: 'firepod_models/*' }),
  ]),
  mayNot({ uid: null, method: 'get', path: 'firepod_models/sdxl', before: { id: 'sdxl' } }),
  mayNot({ uid: null, method: 'list', path: 'firepod_models/*' }),
  mayNot({ ...ada, method: 'create', path: 'firepod_models/mine', after: { id: 'mine' } }),
  mayNot({ ...ada, method: 'update', path: 'firepod_models/sdxl', before: { id: 'sdxl' }, after: {} }),
  mayNot({ ...ada, method: 'delete', path: 'firepod_models/sdxl', before: { id: 'sdxl' } }),
  mayNot({ ...ada, method: 'get', path: 'firepod_models/sdxl/secrets/a' }),
  mayNot({ ...ada, method: 'list', path: '**/firepod_models/*' }),
];

/** What nobody but a server reaches. */
const closed = [
  ...[
    'firepod_jobs/f-1',
    'firepod_requests/ada_r',
    'firepod_deleted/f-1',
    'firepod_config/limits',
    'other/a',
  ],
  ...['generations/ada', 'generations/ada/notes/a', 'users/ada/marks/f-1', 'users/ada/images/f-1'],
  ...['generations/ada/images/f-1/marks/f-1', 'users/ada/videos/f-1'],
]
  .flatMap((path): RulesCase[] => [
    mayNot({ ...ada, method: 'get', path, before: mark }),
    mayNot({ ...ada, method: 'list', path: `${path.slice(0, path.lastIndexOf('/'))}/*` }),
    mayNot({ ...ada, method: 'create', path, after: mark }),
    mayNot({ ...ada, method: 'update', path, before: mark, after: fullMark }),
    mayNot({ ...ada, method: 'delete', path, before: mark }),
    mayNot({ uid: null, method: 'get', path, before: mark }),
  ])
  .filter(({ path }) => path !== 'generations/ada/images/*');

export const firestoreCases: readonly RulesCase[] = [
  ...generations,
  ...reading,
  ...writing,
  ...models,
  ...closed,
  // No document below a collection called documents is taken for one at the top.
  mayNot({ ...ada, method: 'get', path: 'x/documents/generations/ada/images/f-1' }),
  mayNot({ ...ada, method: 'list', path: 'generations/*' }),
  mayNot({ ...ada, method: 'list', path: '**' }),
];
