/** `/emulator/auth/handler` and `/emulator/auth/iframe`: what the web SDK opens for signInWithPopup and signInWithRedirect. */
import type { ProviderLink } from './account.ts';

const style =
  'body{font:16px system-ui;margin:3rem auto;max-width:26rem;padding:0 1rem}h1{font-size:1.25rem}form{display:grid;gap:.75rem;margin-top:1.5rem}label{display:grid;gap:.25rem}button,input{font:inherit;padding:.5rem .75rem}li{margin:.5rem 0}ul{list-style:none;padding:0}.error{color:#b00020}';

/**
 * The page where a person chooses who they are at the provider: one of the known accounts, or a new one. It hands the choice
 * to the iframe below (popup), or leaves it in the session's storage and goes back to the app (redirect).
 */
export function providerPage(known: readonly ProviderLink[]): string {
  const accounts = known.map(({ rawId, email, displayName, photoUrl, screenName }) => ({
    sub: rawId,
    email,
    email_verified: true,
    name: displayName,
    picture: photoUrl,
    screen_name: screenName,
  }));
  // "<" ends a script element only as "</script": escaped, no value can.
  const json = JSON.stringify(accounts).replace(/</g, '\\u003c');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in on this machine</title><style>${style}</style>
<h1>Sign in with <span id="provider"></span></h1>
<p>This is the local Auth: nobody is asked, and anybody can be anybody.</p>
<p class="error" id="error" role="alert"></p><ul id="accounts"></ul>
<form id="new"><label>E-mail <input name="email" type="email" required></label><label>Name <input name="name"></label>
<label>Picture (URL) <input name="picture" type="url"></label><button>Sign in as a new account</button></form>
<script>
const accounts = ${json};
const query = new URLSearchParams(location.search);
const [apiKey, appName, authType, providerId] = ['apiKey', 'appName', 'authType', 'providerId'].map((name) => query.get(name));
document.getElementById('provider').textContent = providerId;
function fail(message) { document.getElementById('error').textContent = message; }
function finish(claims) {
  const response = new URL(location.pathname, location.origin);
  response.searchParams.set('providerId', providerId);
  response.searchParams.set('id_token', JSON.stringify({ iss: '', aud: '', exp: 0, iat: 0, ...claims }));
  const authEvent = { type: authType, eventId: query.get('eventId'), urlResponse: response.href,
    sessionId: 'local', postBody: '', tenantId: null, error: null };
  const storageKey = apiKey + ':' + appName;
  if (!/popup/i.test(authType)) {
    sessionStorage.setItem('firebase:redirectEvent:' + storageKey, JSON.stringify(authEvent));
    location.href = query.get('redirectUrl');
    return;
  }
  for (let index = 0; index < (window.opener?.frames.length ?? 0); index++) {
    try {
      const frame = window.opener.frames[index];
      const its = new URLSearchParams(frame.location.search);
      if (its.get('apiKey') !== apiKey || its.get('appName') !== appName) continue;
      frame.postMessage({ data: { authEvent, storageKey }, eventId: crypto.randomUUID(), eventType: 'sendAuthEvent' }, location.origin);
      return;
    } catch (error) {
      // A frame of another origin is none of ours.
      if (!(error instanceof DOMException)) throw error;
    }
  }
  fail('The window that asked is gone. Close this one and try again.');
}
for (const claims of accounts) {
  const button = document.createElement('button');
  button.textContent = [claims.name, claims.email ?? claims.sub].filter(Boolean).join(' · ');
  button.addEventListener('click', () => finish(claims));
  document.getElementById('accounts').appendChild(document.createElement('li')).append(button);
}
document.getElementById('new').addEventListener('submit', (event) => {
  event.preventDefault();
  const given = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ''));
  finish({ sub: crypto.randomUUID(), email_verified: true, ...given });
});
if (!apiKey || !appName || !providerId) fail('The address lacks apiKey, appName or providerId.');
</script>`;
}

/**
 * The frame that the SDK keeps in the app's page. SDK and frame talk through Google's gapi.iframes, which both load from
 * apis.google.com: without a network there is no popup and no redirect, here as in the official emulator.
 */
export const relayPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Auth relay</title>
<script>
const query = new URLSearchParams(location.search);
const storageKey = query.get('apiKey') + ':' + query.get('appName');
const storedKey = 'firebase:redirectEvent:' + storageKey;
let parentFrame = null;
let waiting = null;
function send(authEvent) {
  const none = { type: 'unknown', error: { code: 'auth/no-auth-event' } };
  parentFrame.send('authEvent', { type: 'authEvent', authEvent: authEvent ?? none }, () => {}, gapi.iframes.CROSS_ORIGIN_IFRAMES_FILTER);
}
addEventListener('message', (event) => {
  if (event.origin !== location.origin || event.data?.eventType !== 'sendAuthEvent') return;
  if (event.data.data.storageKey !== storageKey) return;
  if (parentFrame === null) waiting = event.data.data.authEvent;
  else send(event.data.data.authEvent);
});
window.gapi_onload = () => gapi.load('gapi.iframes', () => {
  parentFrame = gapi.iframes.getContext().getParentIframe();
  parentFrame.register('webStorageSupport', () => ({ status: 'ACK', webStorageSupport: true }), gapi.iframes.CROSS_ORIGIN_IFRAMES_FILTER);
  const stored = sessionStorage.getItem(storedKey);
  sessionStorage.removeItem(storedKey);
  send(waiting ?? (stored === null ? null : JSON.parse(stored)));
});
</script>
<script src="https://apis.google.com/js/api.js"></script>`;
