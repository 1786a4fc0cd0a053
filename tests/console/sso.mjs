// Single sign-on in Debian's Chromium, with a real OpenID provider over TLS: there, back, and signed in; and a stranger, who is not.
//   node sso.mjs { "url", "port", "client", "secret", "certificate", "key" }.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';
import { browser, demo, screen, shot } from './browser.mjs';

const { url, port, client, secret, certificate, key } = demo;
const provider = new Provider(`https://localhost:${port}`, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: [`${url}/login/sso/back`] }],
  claims: { openid: ['sub'], profile: ['preferred_username'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id }) }),
  cookies: { keys: ['only for this test'] },
});
const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, provider.callback());
await new Promise((up) => { server.listen(port, 'localhost', up); });

/** Somebody comes to the door, and says at the provider who they are. */
async function comes(name) {
  const page = await screen({ ignoreHTTPSErrors: true }); // the recorder trusts this provider by its authority; the browser does not know it
  await page.goto(`${url}/login`);
  await page.click('a[href="/login/sso"]');
  await page.fill('[name=login]', name);
  await page.fill('[name=password]', 'anything');
  await page.click('button[type=submit]');
  await page.click('button[type=submit]'); // and that the recorder may know it
  return page;
}

const wang = await comes('wang.jianguo');
await wang.waitForURL((at) => at.host === new URL(url).host && !at.pathname.startsWith('/login'));
assert.equal((await wang.evaluate(async () => (await fetch('/api/v1/me/logins')).json()))[0].way, 'sso');
await shot(wang, 'sso-1-in');

const stranger = await comes('nobody.here');
await stranger.waitForURL((at) => at.pathname.startsWith('/login/sso/back'));
await stranger.waitForLoadState();
await shot(stranger, 'sso-2-stranger');
assert.equal(await stranger.evaluate(async () => (await fetch('/api/v1/me')).status), 401);

// What came back once opens nothing a second time, nor in another browser.
const thief = await screen();
await thief.goto(stranger.url());
assert.equal(await thief.evaluate(async () => (await fetch('/api/v1/me')).status), 401);

await browser.close();
server.closeAllConnections();
server.close();
console.log('done');
