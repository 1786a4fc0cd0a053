// A disposal in Debian's Chromium, months after its recording: what is due, a copy that is destroyed by hand and one that stays, the
// certificate on one sheet.
//   node disposal.mjs FILE.JSON [FOLDER FOR SCREENSHOTS]     (url, accounts, session, disposal, provision)
import assert from 'node:assert/strict';
import { browser, demo, person, said, shot } from './browser.mjs';

const at = (path) => `${demo.url}${path}`;
const custodian = await person('custodian');
// Media that are due are counted where what waits is, and told where the machine is.
assert.match(await custodian.textContent('.machine'), /1 件保存介质到期/);
assert.match(await custodian.textContent('nav a[href="/retention"]'), /2/);
await shot(custodian, 'disposal-1-home');
await custodian.goto(at('/disposals'));
await custodian.waitForSelector('text=介质待办结');
await shot(custodian, 'disposal-2-list');
await custodian.click(`a[href="/disposals/${demo.disposal}"]`);
await custodian.waitForSelector('#copies');
assert.equal(await custodian.locator('#copies .badge.warn').count(), 2, 'two copies are to be destroyed');
await shot(custodian, 'disposal-3-open');
// By keyboard: the copy's own line, how it was destroyed, who saw it.
await custodian.focus('#copies details >> nth=0 >> summary');
await custodian.keyboard.press('Enter');
const form = custodian.locator('#copies details form').first();
await form.locator('[name=how]').fill('机械粉碎');
await form.locator('[name=seen_by]').fill('冯静');
await shot(custodian, 'disposal-4-destroying');
await form.locator('[name=seen_by]').press('Enter');
await custodian.waitForSelector('.flash');
assert.match(custodian.url(), new RegExp(`/disposals/${demo.disposal}`));
assert.match(await custodian.textContent('#copies'), /已销毁.*机械粉碎.*监销人：冯静/s);
await custodian.fill('#copies [name=reason]', '同盘另有尚未到期的录制，另行制作介质后销毁');
await custodian.click('button[value=close]');
await custodian.waitForSelector('text=介质已办结');
await shot(custodian, 'disposal-5-closed');
await custodian.goto(at(`/disposals/${demo.disposal}/certificate`));
await custodian.waitForSelector('.digest');
await shot(custodian, 'disposal-6-certificate');
const sheet = await custodian.pdf({ preferCSSPageSize: true });
assert.equal(sheet.toString('latin1').match(/\/Type\s*\/Page\b/g).length, 1, 'a short certificate is one sheet');
await custodian.goto(at(`/language?to=en&back=/disposals/${demo.disposal}`));
await custodian.waitForSelector('text=Copies on discs and disks');
await shot(custodian, 'disposal-7-english');
for (const [n, page] of ['/disposals', '/retention', '/retention?list=gone', '/holds', '/media'].entries()) {
  await custodian.goto(at(page));
  await shot(custodian, `disposal-8-english-${n}`);
}
const legal = await person('legal_unit');
await legal.goto(at(`/provisions/${demo.provision}`));
await legal.waitForSelector('text=已随件处置');
await shot(legal, 'disposal-9-provision');
for (const [n, page] of ['/retention?list=unclassified', '/retention?list=gone', '/holds', '/media', `/sessions/${demo.session}`].entries()) {
  await legal.goto(at(page));
  await shot(legal, `disposal-9-${n}`);
}
// What was given up is held by nothing any more, asks for nothing, and says where it went.
await legal.goto(at('/holds'));
await legal.waitForSelector('text=没有生效中的长期保存');
await legal.goto(at(`/sessions/${demo.session}`));
assert.match(await legal.textContent('#keeping'), new RegExp(`已处置.*${demo.disposal}`, 's'));
assert.equal(await legal.locator('.missing, #footage, #timeline').count(), 0);
await legal.goto(at('/retention?list=gone'));
await legal.waitForSelector(`a[href="/disposals/${demo.disposal}"]`);
await legal.goto(at('/'));
await shot(legal, 'disposal-9-home');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
