/** What the web SDK does in browsers alone: signing in by popup and by redirect, and phones. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from '../../../../e2e/chromium.ts';
import { serveWebSdkPages, type WebSdkPages } from '../../../../e2e/web-sdk-pages.ts';
import { startTemporaryAuth, type TemporaryAuth } from '../../test/temporary-auth.ts';

/** What the page puts on its window. */
declare const sdk: typeof import('firebase/auth');
declare const auth: import('firebase/auth').Auth;

/** Auth's address is the query. */
const html = `<!doctype html><body><script type="module">
    import { initializeApp } from '/firebase-app.js';
    import * as sdk from '/firebase-auth.js';
    const auth = sdk.getAuth(initializeApp({ projectId: 'demo-popup', apiKey: 'local', authDomain: 'unused.example' }));
    sdk.connectAuthEmulator(auth, decodeURIComponent(location.search.slice(1)), { disableWarnings: true });
    Object.assign(globalThis, { sdk, auth });
  </script>`;

/**
 * Stands in for https://apis.google.com/js/api.js, from which SDK and frame take `gapi.iframes` and which no test may ask
 * for: the same calls, over plain messages between the two windows.
 */
const gapiOfTheTest = `(() => {
  const handlers = {};
  const early = {};
  const channel = (target) => ({
    // What came before its handler waits for it.
    register: (name, handler) => { handlers[name] = handler; early[name]?.(); },
    send: (name, data, callback) => {
      const id = Math.random().toString(36);
      handlers['reply ' + id] = (answer) => callback?.([answer]);
      target().postMessage({ gapi: name, id, data }, '*');
    },
    restyle: async () => {},
    // The frame asks in turn: it is there when its first message has come.
    ping: (callback) => new Promise((resolve) => {
      handlers['hello'] = () => resolve(callback());
    }),
  });
  addEventListener('message', async ({ data, source }) => {
    if (data?.gapi === undefined) return;
    if (handlers[data.gapi] === undefined) await new Promise((resolve) => { early[data.gapi] = resolve; });
    const answer = await handlers[data.gapi](data.data);
    if (!data.gapi.startsWith('reply ')) source.postMessage({ gapi: 'reply ' + data.id, data: answer }, '*');
  });
  const context = {
    open: (options, ready) => {
      const frame = document.createElement('iframe');
      frame.src = options.url;
      frame.hidden = true;
      document.body.append(frame);
      return ready(channel(() => frame.contentWindow));
    },
    getParentIframe: () => {
      const toParent = channel(() => parent);
      // Registering comes first, then the frame is ready for what the page asks.
      setTimeout(() => toParent.send('hello'));
      return toParent;
    },
  };
  globalThis.gapi = {
    load: (_name, then) => (then.callback ?? then)(),
    iframes: { getContext: () => context, CROSS_ORIGIN_IFRAMES_FILTER: () => true },
  };
  const named = new URL(document.currentScript.src).searchParams.get('onload');
  (named === null ? globalThis.gapi_onload : globalThis[named])?.();
})();`;

let server: TemporaryAuth;
let pages: WebSdkPages;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  server = await startTemporaryAuth('demo-popup');
  pages = await serveWebSdkPages(html);
  browser = await launchChromium();
}, 60_000);
beforeEach(async () => {
  await server.reset();
  context = await browser.newContext();
  await context.route('https://apis.google.com/**', (route) =>
    route.fulfill({ contentType: 'text/javascript', body: gapiOfTheTest }),
  );
  page = await context.newPage();
  await openApp();
});
afterEach(() => context.close());
afterAll(async () => {
  await browser?.close();
  pages.close();
  await server.close();
});

async function openApp(): Promise<void> {
  await page.goto(`${pages.url}?${server.url}`);
  await page.waitForFunction('globalThis.auth !== undefined');
}

/** Fills the form of the provider's page. */
async function signInAs(providerPage: Page, email: string): Promise<void> {
  await providerPage.getByLabel('E-mail').fill(email);
  await providerPage.getByLabel('Name').fill('Ada');
  await providerPage.getByRole('button', { name: 'Sign in as a new account' }).click();
}

describe('in Chromium', () => {
  test('signInWithPopup: a new account, and the same one again by its button', async () => {
    const signIn = () =>
      page.evaluate(async () => {
        const { user } = await sdk.signInWithPopup(auth, new sdk.GoogleAuthProvider());
        return { uid: user.uid, email: user.email, name: user.displayName };
      });
    const [popup, first] = [context.waitForEvent('page'), signIn()];
    await signInAs(await popup, 'ada@example.com');
    expect(await first).toMatchObject({ email: 'ada@example.com', name: 'Ada' });
    await page.evaluate(() => sdk.signOut(auth));
    const [second, again] = [context.waitForEvent('page'), signIn()];
    await (await second).getByRole('button', { name: 'Ada · ada@example.com' }).click();
    expect((await again).uid).toBe((await first).uid);
  });

  test('signInWithRedirect: back in the app as who was chosen', async () => {
    void page.evaluate(() => sdk.signInWithRedirect(auth, new sdk.GithubAuthProvider())).catch(() => {});
    await page.waitForURL(/\/emulator\/auth\/handler/);
    await signInAs(page, 'grace@example.com');
    await page.waitForFunction('globalThis.auth !== undefined');
    const result = await page.evaluate(async () => {
      const answer = await sdk.getRedirectResult(auth);
      return [answer?.user.email, answer?.providerId];
    });
    expect(result).toEqual(['grace@example.com', 'github.com']);
  });

  test('signInWithPhoneNumber, with the code that would be texted', async () => {
    await page.evaluate(async () => {
      auth.settings.appVerificationDisabledForTesting = true;
      const verifier = new sdk.RecaptchaVerifier(auth, document.body, { size: 'invisible' });
      Object.assign(globalThis, {
        confirmation: await sdk.signInWithPhoneNumber(auth, '+15555550100', verifier),
      });
    });
    const code = await server.textedTo('+15555550100');
    const phoneNumber = await page.evaluate(async (texted) => {
      const { confirmation } = globalThis as unknown as {
        confirmation: import('firebase/auth').ConfirmationResult;
      };
      return (await confirmation.confirm(texted)).user.phoneNumber;
    }, code);
    expect(phoneNumber).toBe('+15555550100');
  });
});
