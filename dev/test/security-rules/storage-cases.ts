/** What firebase/storage.rules must allow and deny. */
import type { CaseFields, RulesCase } from './rules-case.ts';

const limitBytes = 20 * 1024 * 1024;
const image: CaseFields = { size: limitBytes, contentType: 'image/png' };
const sourcePath = 'generating/ada/source/cat.png';

const ada = { uid: 'ada' } as const;
const may = (rulesCase: Omit<RulesCase, 'allowed'>): RulesCase => ({ ...rulesCase, allowed: true });
const mayNot = (rulesCase: Omit<RulesCase, 'allowed'>): RulesCase => ({ ...rulesCase, allowed: false });

const reading = ['source/cat.png', 'image/f-1.png', 'video/f-1.mp4', 'thumbnail/f-1.webp', ''].flatMap(
  (name): RulesCase[] => {
    const path = `generating/ada/${name}`;
    return [
      may({ ...ada, method: 'get', path, before: image }),
      may({ ...ada, method: 'list', path }),
      ...['bob', null].flatMap((uid) => [
        mayNot({ uid, method: 'get', path, before: image }),
        mayNot({ uid, method: 'list', path }),
      ]),
    ];
  },
);

const uploading = (['create', 'update'] as const).flatMap((method): RulesCase[] => {
  const upload = (after: CaseFields) => ({ ...ada, method, path: sourcePath, after });
  return [
    ...['image/png', 'image/jpeg', 'image/webp'].map((contentType) => may(upload({ ...image, contentType }))),
    may({ ...upload(image), before: image }),
    may(upload({ ...image, size: 0 })),
    mayNot(upload({ ...image, size: limitBytes + 1 })),
    ...['image/gif', 'image/svg+xml', 'text/html', 'application/octet-stream', ''].map((contentType) =>
      mayNot(upload({ ...image, contentType })),
    ),
    ...['image/pngx', 'image/jpegx', 'image/webpx'].map((contentType) =>
      mayNot(upload({ ...image, contentType })),
    ),
    mayNot(upload({ contentType: 'image/png' })),
    mayNot(upload({ size: 1 })),
    ...['bob', null].map((uid) => mayNot({ uid, method, path: sourcePath, after: image })),
    ...[
      ...['generating/ada/image/f-1.png', 'generating/ada/cat.png', 'generating/ada/source/deeper/cat.png'],
      ...['generating/ada/source', 'ada/source/cat.png', 'other/ada/source/cat.png', 'cat.png'],
      ...['generating/ada/deeper/source/cat.png', 'other/generating/ada/source/cat.png'],
    ].map((path) => mayNot({ ...ada, method, path, after: image })),
  ];
});

const deleting: RulesCase[] = [
  may({ ...ada, method: 'delete', path: sourcePath, before: image }),
  ...['bob', null].map((uid) => mayNot({ uid, method: 'delete', path: sourcePath, before: image })),
  ...['generating/ada/image/f-1.png', 'generating/ada/source/deeper/cat.png', 'other/ada/source/cat.png'].map(
    (path) => mayNot({ ...ada, method: 'delete', path, before: image }),
  ),
];

export const storageCases: readonly RulesCase[] = [
  ...reading,
  ...uploading,
  ...deleting,
  ...['generating', '', 'other/ada/image', 'ada/ada', 'generating/bob'].flatMap((path): RulesCase[] => [
    mayNot({ ...ada, method: 'list', path }),
    mayNot({ ...ada, method: 'get', path: `${path}/a.png`, before: image }),
  ]),
  mayNot({ ...ada, method: 'get', path: 'x/o/generating/ada/image/f-1.png', before: image }),
  // A prefix within a name would list everybody whose name begins so.
  mayNot({ ...ada, method: 'list', path: 'generating/*' }),
];
