// A provision in Debian's Chromium: one that is withdrawn, one that is handed over, each said in words.
//   node provision.mjs FILE.JSON [FOLDER FOR SCREENSHOTS]     (url, accounts, approved, received)
import assert from 'node:assert/strict';
import { browser, demo, person, said, shanghai, shot } from './browser.mjs';

const at = (path) => `${demo.url}${path}`;
const legal = await person('legal_unit');
await legal.goto(at(`/provisions/${demo.received}`));
await legal.click('details:has(button[value=withdraw]) summary');
await legal.fill('form:has(button[value=withdraw]) [name=reason]', '来函撤回');
await shot(legal, 'provision-1-withdrawing');
await legal.click('button[value=withdraw]');
await legal.waitForSelector('.flash');
assert.match(await legal.textContent('main'), /已撤回.*来函撤回/s);
assert.equal(await legal.locator('button[value=withdraw], button[value=prepare]').count(), 0, 'it is over');
await shot(legal, 'provision-2-withdrawn');

// The receipt is entered by a script, and said like any other form's.
await legal.goto(at(`/provisions/${demo.approved}`));
await legal.fill('#upload [name=taken_by]', '书记员 李某');
await legal.fill('#upload [name=day]', shanghai(Date.now()).slice(0, 10));
await legal.setInputFiles('#upload [name=file]', { name: '回执.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 receipt') });
await legal.click('#upload button.primary');
await legal.waitForSelector('.flash >> text=已登记回执');
await shot(legal, 'provision-3-handed');
await legal.goto(at('/provisions'));
await legal.waitForSelector('text=已撤回');
await shot(legal, 'provision-4-list');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
