// A passkey in Debian's Chromium, with the browser's own virtual authenticator: set up, signed in by, taken away.
//   node passkey.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, said, screen, shot } from './browser.mjs';

// A passkey is bound to a name, so the console is opened by its name and not by its number.
const url = demo.url.replace('127.0.0.1', 'localhost');
const { username, password } = demo.accounts.find((a) => a.role === 'leader_in_charge');
const page = await screen();
page.on('pageerror', (e) => said.push(e.message));
const cdp = await page.context().newCDPSession(page);
await cdp.send('WebAuthn.enable');
await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true } });

await page.goto(`${url}/login`);
await page.fill('[name=username]', username);
await page.fill('[name=password]', password);
await page.press('[name=password]', 'Enter');
await page.waitForURL((at) => !at.pathname.startsWith('/login'));
await page.goto(`${url}/me`);
await page.fill('#passkey-name', '办公室电脑');
await page.click('[data-passkey=add]');
await page.waitForSelector('form[action^="/me/passkeys/"]');
await shot(page, 'passkey-1-me');
await page.click('form[action="/logout"] button');

await page.waitForSelector('[data-passkey=login]');
await shot(page, 'passkey-2-login');
await page.click('[data-passkey=login]');
await page.waitForURL((at) => !at.pathname.startsWith('/login'));
assert.equal((await page.evaluate(async () => (await fetch('/api/v1/me/logins')).json()))[0].way, 'passkey');
// Asked once more, the passkey answers for the password, and leads back to where it was asked.
await page.goto(`${url}/prove?back=/access`);
await page.click('[data-passkey=prove]');
await page.waitForURL((at) => at.pathname === '/access');
await page.goto(`${url}/me`);
await page.click('form[action^="/me/passkeys/"] button');
await page.waitForSelector('.flash');
await page.click('form[action="/logout"] button');
await page.click('[data-passkey=login]');
await page.waitForSelector('#passkey-words:not([hidden])');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
