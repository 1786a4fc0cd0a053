// A package of encrypted footage in its own page: checked as it lies there, and the copy for looking plays.
//   node at_rest_package.mjs BUREAU.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { browser, demo, said, screen, shot } from './browser.mjs';

const page = await screen();
page.on('pageerror', (e) => said.push(`page: ${e.message}`));
page.on('request', (r) => { if (!/^(file|blob):/.test(r.url())) said.push(`the page asked for ${r.url()}`); });
await page.goto(`file://${join(demo.more.package, 'verify.html')}`);
await page.evaluate(() => { document.documentElement.dataset.lang = 'zh'; });
await page.setInputFiles('#pick', demo.more.package);
await page.waitForSelector('.verdict.intact, .verdict.altered');
assert.equal(await page.textContent('.verdict .zh'), '未发现改动；带 ? 的事项尚未比对');
assert.ok((await page.innerText('#sealed')).includes('加密存放'));
await page.waitForFunction(() => document.querySelector('video').readyState >= 1);
await page.evaluate(() => document.querySelector('video').play());
await page.waitForFunction(() => document.querySelector('video').currentTime > 0.5);
await shot(page, 'at-rest-package');
assert.deepEqual(said, []);
await browser.close();
console.log('done');
