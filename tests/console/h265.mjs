// A camera whose pictures Debian's Chromium cannot decode: the player says so, makes a copy that it can, and shows that, labelled.
//   node h265.mjs BUREAU.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, said, shot } from './browser.mjs';

const page = await person('reviewer');
await page.goto(`${demo.url}/sessions/${demo.more.session}`);
assert.equal(await page.evaluate(() => MediaSource.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"')), false, 'this browser decodes H.265: nothing is tried here');
await page.click('#open-viewing');
const face = page.locator('.screen').first();
await page.waitForFunction(() => /浏览器不能播放这种编码：.*h(vc|ev)1/.test(document.querySelector('.screen .slide:not([hidden])')?.textContent));
assert.match(await face.locator('.slide').textContent(), /可以制作 H\.264 查看用副本/);
// The other camera plays all the same.
await page.waitForFunction(() => document.querySelectorAll('.screen video')[1].currentTime > 0.3);
await shot(page, 'h265-1-said');
await face.locator('figcaption button').click();
await face.locator('figcaption progress').waitFor();
assert.match(await face.locator('.tile-state').textContent(), /正在制作副本 \d+ %/);
await shot(page, 'h265-2-making');
await face.locator('.derived:not([hidden])').waitFor({ timeout: 240000 }); // made at the lowest priority: behind whatever else this machine does
assert.equal(await face.locator('.derived').textContent(), '查看用副本，非原件');
await page.evaluate(async () => { const { shown } = await import('/assets/player.js'); window.player = shown.player; player.seek(0); player.toggle(true); });
await page.waitForFunction(() => { const v = document.querySelector('.screen video'); return v.videoWidth > 0 && v.currentTime > 0.3 && !v.paused; });
assert.equal(await face.locator('.slide').isHidden(), true);
// It is where the others are, and it is nobody's to take away.
await page.evaluate(() => { player.toggle(false); player.seek(1500); });
await page.waitForFunction(() => player.screens.every((s) => !s.video.seeking && s.video.readyState >= 2 && Math.abs(s.video.currentTime - (s.derived ? player.head - player.shift : player.head)) < 0.03));
const id = await face.getAttribute('data-derived');
const file = await page.request.get(`${demo.url}/api/v1/copies/${id}/file`);
assert.deepEqual([file.status(), file.headers()['content-disposition'], file.headers()['x-shilu-derived']], [200, 'inline', 'viewing copy']);
await shot(page, 'h265-3-derived');
assert.deepEqual(said, []);
await browser.close();
console.log('done');
