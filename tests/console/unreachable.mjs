// The recorder is switched off under an open browser: a page of the console says so, the page that was asked for comes by itself, and what
// was typed is sent after all. A wire of our own stands between the two, so that it can be cut.
//   node unreachable.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import net from 'node:net';
import { browser, demo, person, said, shot } from './browser.mjs';

const recorder = Number(new URL(demo.url).port);
const ends = new Set();
function wire(port = 0) {
  const server = net.createServer((here) => {
    const there = net.connect(recorder, '127.0.0.1');
    for (const end of [here, there]) { ends.add(end); end.on('error', () => {}).on('close', () => { ends.delete(end); here.destroy(); there.destroy(); }); }
    here.pipe(there).pipe(here);
  });
  return new Promise((ready) => server.listen(port, '127.0.0.1', () => ready(server)));
}
let server = await wire();
const { port } = server.address();
demo.url = `http://127.0.0.1:${port}`;
const cut = async () => { const closed = new Promise((done) => server.close(done)); ends.forEach((end) => end.destroy()); await closed; };
const mend = async () => { server = await wire(port); };

const officer = await person('officer', { serviceWorkers: 'allow' });
await officer.evaluate(() => navigator.serviceWorker.ready);
await officer.waitForFunction(() => navigator.serviceWorker.controller);

// Asked for: told, and shown as soon as it can be.
await cut();
await officer.goto(`${demo.url}/cases`);
assert.match(await officer.textContent('[role=alert]'), /录制主机没有应答/);
assert.equal(await officer.$eval('.card', (card) => getComputedStyle(card).borderTopStyle), 'solid', 'in the console\'s own dress');
await shot(officer, 'unreachable-1');
await mend();
await officer.waitForSelector('.bar nav a[href="/cases"][aria-current]');

// Typed: kept, and sent by a person.
await officer.goto(`${demo.url}/plans/new`);
const party = '张<三> & "四"';
const at = new Date(Date.now() + 8.5 * 3600e3).toISOString().slice(0, 16);
for (const [name, value] of Object.entries({ at, party, cause: '未经批准占用土地' })) await officer.fill(`[name=${name}]`, value);
await cut();
await officer.click('main button.primary');
await officer.waitForSelector('[data-typed]:not([hidden])');
assert.ok(await officer.isDisabled('form button'));
await shot(officer, 'unreachable-2-typed');
await mend();
await officer.waitForSelector('form button:enabled');
await officer.click('form button');
await officer.waitForURL(/\/plans$/);
assert.ok((await officer.textContent('main')).includes(party), 'what was typed arrived, to the letter');

assert.deepEqual(said.filter((text) => !/Failed to load|ERR_|EventSource|offline/i.test(text)), []);
await browser.close();
server.close();
console.log('done');
