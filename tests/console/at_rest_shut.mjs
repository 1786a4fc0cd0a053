// Encrypted footage whose key is not at hand: the page says so, in words that tell whom to ask.
//   node at_rest_shut.mjs BUREAU.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, shot } from './browser.mjs';

const page = await person('reviewer');
await page.goto(`${demo.url}/sessions/${demo.more.session}`);
await page.click('#open-viewing');
await page.waitForFunction(() => document.body.innerText.includes('录像密钥不在位'));
assert.match(await page.textContent('body'), /请通知技术人员/);
await shot(page, 'at-rest-shut');
await browser.close();
console.log('done');
