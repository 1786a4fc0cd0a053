// A link to an original whose password has to be shown again: to where it is asked for, and back; then the original comes.
//   node prove.mjs BUREAU.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, screen, shot } from './browser.mjs';

const page = await screen();
const [name, value] = demo.more.cookie.split('=');
await page.context().addCookies([{ name, value, url: demo.url }]);
const session = `${demo.url}/sessions/${demo.more.session}`;
const link = '.copies a[href*="/copy/face/joined"]';
await page.goto(session);
await page.click(link);
await page.waitForURL((url) => url.pathname === '/prove');
await shot(page, 'prove');
await page.fill('[name=prove_password]', demo.accounts.find((a) => a.role === 'reviewer').password);
await page.press('[name=prove_password]', 'Enter');
await page.waitForURL(session);
const download = page.waitForEvent('download');
await page.click(link);
assert.match((await download).suggestedFilename(), /-face-copy\.mp4$/);
assert.equal(page.url(), session, 'the page stays');
await browser.close();
console.log('done');
