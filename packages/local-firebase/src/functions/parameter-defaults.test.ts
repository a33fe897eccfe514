import {
  declaredParams,
  defineBoolean,
  defineInt,
  defineList,
  defineSecret,
  defineString,
} from 'firebase-functions/params';
import { expect, test } from 'vitest';
import { parameterDefaults } from './parameter-defaults.ts';

test('gives the declared defaults of parameters that are not set, as the CLI would', () => {
  const dispatch = defineString('DISPATCH', { default: 'run' });
  defineString('SET_ALREADY', { default: 'no' });
  defineString('WITHOUT_DEFAULT');
  const attempts = defineInt('ATTEMPTS', { default: 3 });
  const isOpen = defineBoolean('IS_OPEN', { default: true });
  defineList('ORIGINS', { default: ['a', 'b'] });
  defineSecret('KEY');
  const defaults = parameterDefaults(declaredParams, { SET_ALREADY: 'yes' });
  expect(defaults).toEqual({ DISPATCH: 'run', ATTEMPTS: '3', IS_OPEN: 'true', ORIGINS: '["a","b"]' });

  Object.assign(process.env, defaults);
  expect([dispatch.value(), attempts.value(), isOpen.value()]).toEqual(['run', 3, true]);
  for (const name of Object.keys(defaults)) delete process.env[name];
});
