// Taking in, looking, and the handover in Debian's Chromium: a card of a body-worn recorder is dropped, the line breaks, the page is
// reloaded; what came in is seen under an approval; officer and custodian hand over and receive.
//   node imports.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, demo, person, said, shot } from './browser.mjs';

const card = mkdtempSync(join(tmpdir(), 'shilu-card-'));
const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
function recording(name, source, ...more) {
  const path = join(card, name);
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...source, ...more, path]);
  return path;
}
const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=640x480:rate=15:duration=6,noise=alls=60:allf=t'];
const sound = ['-f', 'lavfi', '-i', 'sine=duration=6'];
const when = new Date(Date.now() - 3 * 3600e3).toISOString();
const film = recording('BWC_0001.mp4', [...picture, ...sound], '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-b:v', '16M', '-c:a', 'aac', '-metadata', `creation_time=${when}`);
const old = recording('OLD_0002.avi', ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=15:duration=3', ...sound.slice(0, 3), 'sine=duration=3'], '-c:v', 'mpeg4', '-c:a', 'libmp3lame');
const photo = recording('IMG_0003.jpg', ['-f', 'lavfi', '-i', 'testsrc=size=640x480:rate=1:duration=1'], '-frames:v', '1', '-update', '1');
const lie = join(card, 'LIE_0004.mp4');
writeFileSync(lie, 'I am a recording. '.repeat(500));

// The officer takes a recorder along in the morning.
const officer = await person('officer');
await officer.click('nav a[href="/handover"]');
await officer.fill('[name=battery]', '96');
await officer.fill('[name=free_gb]', '58');
await officer.click('form[action="/check-outs"] button');
await officer.waitForSelector('.flash');
await shot(officer, 'imports-1-check-out');

// In the evening: the card is dropped; the second piece is lost on the way, then the page is.
await officer.click('nav a[href="/imports"]');
await shot(officer, 'imports-2-empty');
await officer.fill('[name=device_no]', 'BWC-017');
let lost = 0;
await officer.route('**/api/v1/imports/*?offset=*', (route) => {
  const offset = Number(new URL(route.request().url()).searchParams.get('offset'));
  if (offset > 0 && lost < 2) { lost += 1; return route.abort('connectionreset'); }
  // The third piece hangs until the page is reloaded.
  return offset > 4 * 1024 * 1024 && lost < 3 ? undefined : route.continue();
});
// It is said for as long as it is waited: whoever looks for it looks from before on.
const broken = officer.waitForFunction(() => document.querySelector('#going li')?.textContent.includes('连接中断'), null, { polling: 50 });
await officer.setInputFiles('#files', film);
await broken;
await shot(officer, 'imports-3-broken-off');
await officer.waitForFunction(() => document.querySelector('#going progress')?.value > 0.4);
lost = 3;
await officer.reload();
await officer.waitForFunction(() => document.querySelector('#going li')?.textContent.includes('续传'));
await shot(officer, 'imports-4-reloaded');
said.length = 0; // the lost pieces were ours
await officer.fill('[name=device_no]', 'BWC-017');
await officer.click('form#imports summary');
await officer.fill('[name=case_no]', '威自然资罚〔2026〕12号');
await officer.fill('[name=party]', '张三');
await officer.fill('[name=cause]', '未经批准占用土地');
await shot(officer, 'imports-5-form');
await officer.setInputFiles('#files', [film, old, photo, lie]);
await officer.waitForFunction(() => document.querySelectorAll('#going li[data-state=taken_in]').length === 4 && document.querySelectorAll('#today tbody tr').length === 4, null, { timeout: 120000 });
const text = await officer.textContent('main');
for (const path of [film, old, photo, lie]) assert.ok(text.includes(sha256(path)), path);
assert.ok(text.includes('没有播放器能识别，已原样保存并封存'));
// A file with nothing in it is told at once.
await officer.setInputFiles('#files', { name: 'nothing.mp4', mimeType: 'video/mp4', buffer: Buffer.alloc(0) });
await officer.waitForSelector('#import-problem:not([hidden]) >> text=文件是空的');
await shot(officer, 'imports-6-taken-in');
await officer.setInputFiles('#files', photo);
await officer.waitForSelector('#going li[data-state=known] a');
const sessions = await officer.$$eval('#today tbody tr', (all) => Object.fromEntries(all.map((tr) => [tr.children[1].firstChild.textContent, tr.querySelector('code').textContent])));

// Nothing of it is seen without an approval; the leader gives one.
const reviewer = await person('reviewer');
await reviewer.goto(`${demo.url}/sessions/${sessions['BWC_0001.mp4']}`);
assert.equal(await reviewer.locator('#open-imported').count(), 0);
await shot(reviewer, 'imports-7-session');
await reviewer.goto(`${demo.url}/sessions`);
for (const session of Object.values(sessions)) await reviewer.check(`input[value="${session}"]`);
await reviewer.click('#ask button');
await reviewer.fill('[name=purpose]', '复核');
await reviewer.click('form[action="/access/new"] button.primary');
await reviewer.waitForSelector('.flash');
const leader = await person('leader_in_charge');
await leader.click('nav a[href="/access"]');
await leader.click('button[value=approve]');
await leader.waitForSelector('.flash');

// The film plays, can be sought in, and has the viewer's name over it.
await reviewer.goto(`${demo.url}/sessions/${sessions['BWC_0001.mp4']}`);
await reviewer.click('#open-imported');
await reviewer.waitForFunction(() => document.querySelector('.imported-view video')?.readyState >= 2);
await reviewer.evaluate(async () => { const v = document.querySelector('.imported-view video'); v.muted = true; v.currentTime = 3; await v.play(); });
await reviewer.waitForFunction(() => document.querySelector('.imported-view video').currentTime > 3.5);
assert.match(await reviewer.textContent('.watermark'), /陈晓燕 r-/);
await shot(reviewer, 'imports-8-film');
await reviewer.waitForTimeout(5000); // until the recorder was told what was seen
await reviewer.goto(`${demo.url}/sessions/${sessions['IMG_0003.jpg']}`);
await reviewer.click('#open-imported');
await reviewer.waitForFunction(() => document.querySelector('.imported-view img')?.naturalWidth === 640);
await shot(reviewer, 'imports-9-photo');
await reviewer.goto(`${demo.url}/sessions/${sessions['OLD_0002.avi']}`);
await reviewer.click('#open-imported');
await reviewer.click('#derive');
await reviewer.waitForFunction(() => { const v = document.querySelector('.imported-view video'); return v?.dataset.derived && v.readyState >= 2; }, null, { timeout: 180000 });
await shot(reviewer, 'imports-10-derived');

// What no player knows cannot be opened here, approval or not, and the page says so.
const shown = reviewer.url();
await reviewer.goto(`${demo.url}/sessions/${sessions['LIE_0004.mp4']}`);
await reviewer.waitForSelector('#imported >> text=没有播放器能识别');
assert.equal(await reviewer.locator('#open-imported').count(), 0);
await shot(reviewer, 'imports-10-unknown');
await reviewer.goto(shown);
await reviewer.click('#open-imported');
await reviewer.waitForSelector('.imported-view');

// The approval is taken back: the picture goes at once.
await leader.goto(`${demo.url}/access`);
await leader.fill('[name=reason]', '误批');
await leader.click('button[value=revoke]');
await reviewer.waitForFunction(() => !document.querySelector('.imported-view'));

// Handover: the officer ticks, the custodian reads again and gives the receipt.
await officer.click('nav a[href="/handover"]');
assert.equal(await officer.$$eval('input[name=session]', (all) => all.length), 4);
await shot(officer, 'imports-11-mine');
await officer.click('form[action="/handover"] button.primary');
await officer.waitForSelector('.flash');
const custodian = await person('custodian');
assert.equal(await custodian.textContent('nav a[href="/handover"] .count'), '4');
await custodian.click('nav a[href="/handover"]');
await shot(custodian, 'imports-12-inbox');
await custodian.click('.copy-list a');
await shot(custodian, 'imports-13-handover');
await custodian.click('button.primary');
await custodian.waitForFunction(() => document.querySelectorAll('td .badge.good').length === 4);
await custodian.reload();
await shot(custodian, 'imports-14-received');
await custodian.click('a[href$="/receipt"]');
await custodian.waitForSelector('h1');
assert.ok((await custodian.textContent('body')).includes('暨接收回执'));
await shot(custodian, 'imports-15-receipt');

// In English too, by keyboard alone.
await custodian.goto(`${demo.url}/language?to=en&back=/handover`);
await custodian.waitForSelector('h1');
assert.ok((await custodian.textContent('main')).includes('End-of-day handover'));
await shot(custodian, 'imports-16-english');
await custodian.goto(`${demo.url}/imports`);
await shot(custodian, 'imports-17-english');
await custodian.focus('#files');
assert.equal(await custodian.evaluate(() => document.activeElement.id), 'files');

assert.deepEqual(said.filter((s) => !s.includes('ERR_CONNECTION_RESET')), []);
await browser.close();
console.log('done');
