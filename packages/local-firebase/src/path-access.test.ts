import { describe, expect, test } from 'vitest';
import { createPathAccess } from './path-access.ts';

const access = createPathAccess([
  { path: 'generations/{uid}/**', allow: ['read'], to: 'owner' },
  { path: 'generations/{uid}/marks/*', allow: ['write'], to: 'owner' },
  { path: 'firepod_models/*', allow: ['read'], to: 'signed-in' },
  { path: 'public/**', allow: ['read'], to: 'anyone' },
]);
const may = (operation: 'read' | 'write', path: string, uid: string | null) =>
  access({ path, operation, uid });

describe('path access', () => {
  test('denies everything when there are no rules', () => {
    expect(createPathAccess([])({ path: 'a/b', operation: 'read', uid: 'u1' })).toBe(false);
  });

  test('lets the owner, and nobody else, read below its own path', () => {
    expect(may('read', 'generations/u1/images/a', 'u1')).toBe(true);
    expect(may('read', 'generations/u1/images', 'u1')).toBe(true);
    expect(may('read', 'generations/u1', 'u1')).toBe(true);
    expect(may('read', 'generations/u1/images/a', 'u2')).toBe(false);
    expect(may('read', 'generations/u1/images/a', null)).toBe(false);
  });

  test('keeps reading and writing apart', () => {
    expect(may('write', 'generations/u1/images/a', 'u1')).toBe(false);
    expect(may('write', 'generations/u1/marks/a', 'u1')).toBe(true);
    expect(may('write', 'generations/u1/marks/a/deeper/b', 'u1')).toBe(false);
  });

  test('tells signed-in callers from anyone', () => {
    expect(may('read', 'firepod_models/sdxl', 'u9')).toBe(true);
    expect(may('read', 'firepod_models/sdxl', null)).toBe(false);
    expect(may('read', 'public/a/b/c', null)).toBe(true);
  });

  test('allows a list where a rule holds for every name, and only there', () => {
    expect(may('read', 'generations/u1/images/*', 'u1')).toBe(true);
    expect(may('read', 'firepod_models/*', 'u1')).toBe(true);
    expect(may('read', 'generations/*', 'u1')).toBe(false);
    expect(may('read', 'generations/*', '*')).toBe(false);
    expect(may('read', '**/images/*', 'u1')).toBe(false);
    expect(may('read', 'firepod_models/**', 'u1')).toBe(false);
  });

  test('refuses rules that cannot mean anything', () => {
    expect(() => createPathAccess([{ path: 'a/**/b', allow: ['read'], to: 'anyone' }])).toThrow(
      '"**" before',
    );
    expect(() => createPathAccess([{ path: 'a/*', allow: ['read'], to: 'owner' }])).toThrow('no {uid}');
    expect(() => createPathAccess([{ path: 'a/{uid}', allow: ['read'], to: 'anyone' }])).toThrow(
      'is for anyone',
    );
  });
});
