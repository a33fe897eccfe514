/** The project's settings that change answers, readable and writable at the emulator's own endpoint. */
import type { AccountStore } from './accounts.ts';
import { notImplemented } from './errors.ts';
import { isJsonObject, type JsonObject, requestFields } from './request-fields.ts';

/** Whether sign-in answers hide if an address is registered: the default of every new Firebase project. */
export function hidesWhichEmailsExist(accounts: AccountStore): boolean {
  return accounts.setting('improved_email_privacy') !== 'false';
}

/** `GET /emulator/v1/projects/{project}/config` */
export function projectConfig(accounts: AccountStore): JsonObject {
  return {
    signIn: { allowDuplicateEmails: false },
    emailPrivacyConfig: { enableImprovedEmailPrivacy: hidesWhichEmailsExist(accounts) },
  };
}

/** `PATCH /emulator/v1/projects/{project}/config` */
export function updateProjectConfig(accounts: AccountStore, body: JsonObject): JsonObject {
  const unknown = Object.keys(body).find((name) => name !== 'signIn' && name !== 'emailPrivacyConfig');
  if (unknown !== undefined) throw notImplemented(`the project's ${unknown}`);
  const section = (name: string) => requestFields(isJsonObject(body[name]) ? body[name] : {});
  if (section('signIn').flag('allowDuplicateEmails') === true) {
    throw notImplemented('several accounts with one e-mail address');
  }
  const improved = section('emailPrivacyConfig').flag('enableImprovedEmailPrivacy');
  if (improved !== undefined) accounts.saveSetting('improved_email_privacy', String(improved));
  return projectConfig(accounts);
}
