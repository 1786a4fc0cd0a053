// The legal unit's and a reviewer's day: how proof stands, the anchor sheet on paper, a package for hand-over made in the console, and
// the page inside it, opened from the disk by somebody who has no network.
//   node custody.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, demo, person, said, screen, shot } from './browser.mjs';

const folder = mkdtempSync(join(tmpdir(), 'shilu-custody-'));

// An officer records a short session by the API of her own page.
const officer = await person('officer');
const api = (page, path, body) => page.evaluate(async ([path, body]) => {
  const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Csrf-Token': document.body.dataset.csrf }, body: JSON.stringify(body) });
  return answer.json();
}, [path, body]);
await officer.goto(`${demo.url}/`);
await officer.waitForFunction(async () => (await (await fetch('/api/v1/status')).json()).rooms[0].cameras.every((c) => c.connected), null, { polling: 500 });
const facts = { room: 'room-1', kind: 'interview', party: '张三', cause: '未经批准占用土地', officers: [{ name: '王建国', certificate_no: '冀E-0311-017' }, { name: '李红', certificate_no: '冀E-0311-022' }] };
const { session } = await api(officer, '/api/v1/sessions', facts);
await new Promise((done) => setTimeout(done, 6000));
const sealed = await api(officer, `/api/v1/sessions/${session.id}/end`, {});

// The inspector sees how proof stands, and prints the day's sheet on one page.
const inspector = await person('inspector');
await inspector.goto(`${demo.url}/log`);
assert.match(await inspector.textContent('#standing'), /记录条数/);
await shot(inspector, 'custody-01-log');
await inspector.click('#standing button');
await inspector.waitForURL(/\/log\/anchor/);
const sheet = await inspector.textContent('body');
assert.match(sheet, /监管日志存证单/);
assert.ok(sheet.includes(session.id), 'the day has its session');
assert.ok(await inspector.$('.qr svg'));
await shot(inspector, 'custody-02-anchor');
const pdf = join(folder, 'anchor.pdf');
await inspector.pdf({ path: pdf, preferCSSPageSize: true });
assert.match(execFileSync('pdftotext', ['-layout', pdf, '-'], { encoding: 'utf8' }), /根校验值/);

// A reviewer with a grant for copies makes a package, and the browser fetches it.
const reviewer = await person('reviewer'), leader = await person('leader_in_charge');
const request = await api(reviewer, '/api/v1/access-requests', { session: session.id, purpose: '移送法院', mode: 'copy', hours: 2 });
await api(leader, `/api/v1/access-requests/${request.id}/approve`, {});
await reviewer.goto(`${demo.url}/sessions/${session.id}`);
const download = reviewer.waitForEvent('download');
await reviewer.click('#package');
const tar = join(folder, 'package.tar');
await (await download).saveAs(tar);
await reviewer.waitForSelector('#package-words a');
await shot(reviewer, 'custody-03-package');
execFileSync('tar', ['-xf', tar], { cwd: folder });
const bag = join(folder, session.id);

// Somebody else opens the page inside it from the disk.
const outside = await screen();
outside.on('pageerror', (e) => said.push(`page: ${e.message}`));
outside.on('request', (r) => { if (!/^(file|blob):/.test(r.url())) said.push(`the page asked for ${r.url()}`); });
await outside.goto(`file://${join(bag, 'verify.html')}`);
await outside.evaluate(() => { document.documentElement.dataset.lang = 'zh'; });
const check = async () => {
  await outside.setInputFiles('#pick', bag);
  await outside.waitForSelector('.verdict.intact, .verdict.altered');
  return outside.textContent('.verdict .zh');
};
assert.equal(await check(), '未发现改动；带 ? 的事项尚未比对');
assert.ok((await outside.textContent('#found')).includes(sealed.seal.code), 'the seal code is told');
const signer = JSON.parse(readFileSync(join(bag, 'data/sessions', session.id, 'session.json'))).signer;
// A fingerprint that was typed wrong says so, and accuses nobody of an alteration.
await outside.fill('#known', signer.replace(/^./, (c) => (c === '0' ? '1' : '0')));
await outside.press('#known', 'Tab');
assert.match(await check(), /签名公钥与填写的指纹不同/);
await outside.fill('#known', signer);
await outside.press('#known', 'Tab');
assert.equal(await check(), '未改动');
await outside.waitForFunction(() => document.querySelector('video').readyState >= 1);
await shot(outside, 'custody-04-page');
await outside.evaluate(() => document.querySelector('video').play());
await outside.waitForFunction(() => document.querySelector('video').currentTime > 0.5);
await outside.click('#lang');
assert.equal(await outside.textContent('.verdict .en'), 'Intact');

// A single bit of a picture, with the lists made anew by somebody who knows BagIt.
const footage = join(bag, 'data/sessions', session.id);
const file = join(footage, readdirSync(footage).find((name) => name.endsWith('.mp4')));
const data = readFileSync(file);
data[statSync(file).size - 3000] ^= 1;
writeFileSync(file, data);
const list = join(bag, 'manifest-sha256.txt'), path = file.slice(bag.length + 1);
const digest = createHash('sha256').update(data).digest('hex');
writeFileSync(list, readFileSync(list, 'utf8').split('\n').map((l) => l.endsWith(path) ? `${digest}  ${path}` : l).join('\n'));
assert.equal(await check(), '已改动或不完整');
assert.match(await outside.textContent('#found'), /已改动/);
await shot(outside, 'custody-05-altered');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
