// Encrypted footage in the player: both cameras play, and a seek shows the moment that was asked for.
//   node at_rest.mjs BUREAU.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, said, shot } from './browser.mjs';

const page = await person('reviewer');
await page.goto(`${demo.url}/sessions/${demo.more.session}`);
await page.click('#open-viewing');
await page.waitForFunction(() => [...document.querySelectorAll('.screen video')].filter((v) => v.videoWidth > 0 && v.readyState >= 2).length === 2);
await page.evaluate(async () => {
  const { shown } = await import('/assets/player.js');
  window.player = shown.player;
  window.presented = player.screens.map(() => null);
  player.screens.forEach((s, n) => { const next = () => s.video.requestVideoFrameCallback((_, m) => { presented[n] = m.mediaTime; next(); }); next(); });
});
const length = await page.evaluate(() => player.viewing.length_ms / 1000);
for (const seconds of [length / 2, length / 4, length - 0.8]) {
  await page.evaluate((s) => { player.toggle(false); presented.fill(null); player.seek(s * 1000); }, seconds);
  await page.waitForFunction(() => player.screens.every((s, n) => presented[n] !== null && !s.video.seeking && Math.abs(s.video.currentTime - player.head) < 0.03));
  const off = await page.evaluate(() => player.screens.map((s, n) => player.head - presented[n]));
  assert.ok(off.every((o) => Math.abs(o) <= 0.08), `after a seek to ${seconds}: ${off}`);
}
await page.evaluate(() => { player.seek(300); player.toggle(true); });
await page.waitForFunction(() => player.position > 1500);
assert.ok(await page.evaluate(() => player.screens.every((s) => s.slide.hidden)), 'both show');
await shot(page, 'at-rest-player');
assert.deepEqual(said, []);
await browser.close();
console.log('done');
