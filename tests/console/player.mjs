// The player in Debian's Chromium on two cameras, one with a gap: in step, in words, by keyboard, over the whole screen; a still; masks
// drawn with the mouse and moved with the keyboard.
//   node player.mjs BUREAU.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, said, shot } from './browser.mjs';
import { stands } from './words.mjs';

const { session, request } = demo.more;
const STEP = 0.08; // seconds that two cameras may be apart

const page = await person('reviewer');
await page.goto(`${demo.url}/sessions/${session}`);
await page.click('#open-viewing');
await page.waitForFunction(() => [...document.querySelectorAll('.screen video')].filter((v) => v.videoWidth > 0 && v.readyState >= 2).length === 2);

// The moment of the session that each picture on the screen belongs to is the browser's own word on what it presented.
await page.evaluate(async () => {
  const { shown } = await import('/assets/player.js');
  window.player = shown.player;
  window.presented = player.screens.map(() => null);
  player.screens.forEach((s, n) => { const next = () => s.video.requestVideoFrameCallback((_, m) => { presented[n] = m.mediaTime; next(); }); next(); });
});

/** How far each picture is from the moment at which the player stands, seconds, once they have settled; null for a camera that says why it has none. */
async function settled() {
  // The browser tells of a picture a moment after it has found it, and of the one before it late.
  await page.waitForFunction((step) => {
    const off = player.screens.flatMap((s, n) => (s.slide.hidden ? [presented[n] === null || s.video.seeking || !s.video.paused ? NaN : player.head - presented[n]] : []));
    return off.every((o) => Math.abs(o) <= step) && Math.max(...off) - Math.min(...off) <= step;
  }, STEP, { timeout: 20000 }).catch(() => {});
  return page.evaluate(() => player.screens.map((s, n) => (s.slide.hidden ? player.head - presented[n] : null)));
}

/** Goes to a moment. */
async function at(seconds) {
  await page.evaluate((s) => { player.toggle(false); presented.fill(null); player.seek(s * 1000); }, seconds);
  return settled();
}

function together(off, where) {
  assert.ok(off.every((o) => o !== null && Math.abs(o) <= STEP), `${where}: ${off}`);
  assert.ok(Math.abs(off[0] - off[1]) <= STEP, `${where}: apart by ${off[0] - off[1]}`);
}

const { gap, length } = await page.evaluate(() => ({ gap: player.gaps.find((g) => g.camera === 'overview'), length: player.viewing.length_ms / 1000 }));
const [from, to] = [gap.from / 1000, gap.to / 1000];
for (const seconds of [from / 2, to + (length - to) / 2, from / 3, to + 1]) together(await at(seconds), `after a seek to ${seconds}`);

// Within the gap one camera says why, and for how long; the other shows.
const [face, overview] = await at((from + to) / 2);
assert.ok(Math.abs(face) <= STEP && overview === null, `${face} ${overview}`);
const slide = await page.textContent('.screen:nth-child(2) .slide');
assert.match(slide, /此处没有录像.+距下一画面/s);
await shot(page, 'player-1-gap');

// Played across it, at four times the speed, they are in step again.
await at(Math.max(0, to - 2));
await page.selectOption('#speed', '4');
await page.evaluate(() => player.toggle(true));
await page.waitForFunction((s) => player.position / 1000 > s, Math.min(to + 1.5, length - 0.6));
await page.evaluate(() => player.toggle(false));
await page.selectOption('#speed', '1');
together(await settled(), 'after playing across the gap');

// Loudness: in words, and drawn into the camera that has sound.
await page.waitForFunction(() => /全景 没有录音/.test(document.getElementById('loudness-words').textContent) && /面部 有声/.test(document.getElementById('loudness-words').textContent));
const drawn = await page.evaluate(() => { const c = document.querySelector('canvas.loudness[data-camera=face]'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let columns = 0; for (let x = 0; x < c.width; x += 1) { for (let y = 0; y < c.height; y += 1) if (d[4 * (y * c.width + x) + 3]) { columns += 1; break; } } return columns / c.width; });
assert.ok(drawn > 0.02 && drawn < 0.98, `sound in ${drawn} of the line`);
await page.locator('.timeline').scrollIntoViewIfNeeded();
await shot(page, 'player-2-loudness');

// Full screen: the whole player, with watermark and time; never a picture by itself.
const marked = async (where) => {
  const texts = await page.$$eval('.screen .watermark span', (all) => all.map((s) => ({ text: s.textContent, on: s.checkVisibility() })));
  assert.ok(texts.length >= 2 && texts.every((t) => t.on && t.text.includes('reviewer') && t.text.includes(request)), `${where}: ${JSON.stringify(texts)}`);
  assert.match(await page.textContent('#wall'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, where);
};
await page.focus('#play');
await page.keyboard.press('f');
await page.waitForFunction(() => document.fullscreenElement?.id === 'stage' && document.getElementById('full').textContent.startsWith('退出'));
await marked('full screen');
await page.screenshot({ path: process.argv[3] ? `${process.argv[3]}/player-3-full.png` : '/dev/null', type: 'png' });
await page.keyboard.press('f');
await page.waitForFunction(() => !document.fullscreenElement);
await marked('after it');
assert.equal(await page.$$eval('.screen video', (all) => all.filter((v) => v.controls || !v.disablePictureInPicture || !/nofullscreen/.test(v.getAttribute('controlslist'))).length), 0);
// A picture that a browser takes to the whole screen by itself does not stay there.
await page.evaluate(() => { const b = document.getElementById('on5'); b.addEventListener('click', () => document.querySelector('.screen video').requestFullscreen(), { once: true }); });
await page.click('#on5');
await page.waitForFunction(() => !document.fullscreenElement);
assert.equal(await page.evaluate(() => document.querySelector('.screen video').requestPictureInPicture().then(() => 'taken', (no) => no.name)), 'InvalidStateError');

// A still has viewer, request and moment in it.
await at(from / 2);
const wall = await page.textContent('#wall');
const download = page.waitForEvent('download');
await page.focus('#play');
await page.keyboard.press('s');
const still = await (await download).path();
const right = stands(`reviewer  ${request}  ${wall}`, still);
const wrong = stands(`officer1  ${request}  ${wall.replace(/\d\d:\d\d$/, '99:99')}`, still);
assert.ok(right > 0.95 && right > wrong + 0.05, `the words stand in it: ${right}, others: ${wrong}`);

// Masks: drawn, moved by keys, changed in numbers, with times from the player; taken away again.
await page.click('#copy-order summary');
await page.click('#mask-picture');
await page.locator('#board').scrollIntoViewIfNeeded();
const box = await page.locator('#board canvas').boundingBox();
await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.25);
await page.mouse.down();
await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.5);
await page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.75);
await page.mouse.up();
const numbers = () => page.$$eval('#mask-list li', (rows) => rows.map((r) => [...r.querySelectorAll('input[type=number]')].map((i) => Number(i.value))));
const [mask] = await numbers();
assert.ok(mask.every((n, i) => Math.abs(n - [50, 25, 25, 50][i]) <= 1), `${mask}`);
await page.focus('#board .mask');
await page.keyboard.press('ArrowRight');
await page.keyboard.press('Shift+ArrowDown');
assert.deepEqual(await numbers(), [[mask[0] + 1, mask[1], mask[2], mask[3] + 1]]);
await page.locator('#mask-list button', { hasText: '从此处' }).click();
await page.click('#mask-add');
assert.equal((await numbers()).length, 2);
await page.locator('#mask-list input[type=number]').nth(4).fill('5');
await page.waitForFunction(() => document.querySelectorAll('#board .mask')[1].style.left === '5%');
await page.click('#mute-add');
await page.locator('#mute-list button', { hasText: '到此处' }).click();
await shot(page, 'player-4-masks');
await page.locator('#board .mask').nth(1).focus();
await page.keyboard.press('Delete');
assert.equal((await numbers()).length, 1);
await page.locator('#mute-list button', { hasText: '删除' }).click();
const ordered = page.waitForRequest((r) => r.url().endsWith('/copies') && r.method() === 'POST');
await page.click('#copy-now');
const asked = (await ordered).postDataJSON();
assert.deepEqual(asked.masks.map((m) => [m.camera, m.x, m.y, m.width, m.height]), [['face', mask[0] + 1, mask[1], mask[2], mask[3] + 1]]);
assert.equal(asked.masks[0].from_ms, Math.floor(from / 2) * 1000);
await page.waitForSelector('.copy-list li[data-state=ready]');

// By keyboard alone.
await page.focus('#play');
await page.evaluate(() => player.toggle(false));
const before = await page.evaluate(() => player.position);
await page.keyboard.press('.');
assert.ok(Math.abs(await page.evaluate(() => player.position) - before - 1000 / 15) < 1);
await page.keyboard.press('Home');
assert.ok(await page.evaluate(() => player.position) <= 0);
await page.keyboard.press(' ');
assert.equal(await page.evaluate(() => player.playing), true);
await page.context().addCookies([{ name: 'lang', value: 'en', url: demo.url }]);
await page.goto(`${demo.url}/sessions/${session}`);
await page.click('#open-viewing');
await page.waitForFunction(() => /sound for/.test(document.getElementById('loudness-words').textContent));
await page.locator('#stage').scrollIntoViewIfNeeded();
if (process.argv[3]) await page.screenshot({ path: `${process.argv[3]}/player-5-english.png` });
assert.deepEqual(said, []);
await browser.close();
console.log('done');
