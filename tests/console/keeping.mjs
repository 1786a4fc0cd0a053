// Keeping in Debian's Chromium: a session nobody has classified, a hold that another confirms and two lift, what is due.
//   node keeping.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, recordsOne, shot } from './browser.mjs';

const officer = await person('officer');
const session = await recordsOne(officer);

// Nobody said what it is: kept without a date, and the custodian finds it so.
const custodian = await person('custodian');
await custodian.click('nav a[href="/retention"]');
await custodian.waitForSelector('text=没有到期的资料');
await shot(custodian, 'keeping-1-nothing-due');
await custodian.click('a[href="/retention?list=unclassified"]');
await custodian.click(`a[href="/sessions/${session}#keeping"]`);
await custodian.waitForSelector('#keeping >> text=未关联案件');
await custodian.click('#keeping details:has(button[value=routine]) summary');
await custodian.fill('#keeping form:has(button[value=routine]) [name=reason]', '来访咨询');
await custodian.click('button[value=routine]');
await custodian.waitForSelector('.flash');
assert.match(await custodian.textContent('#keeping'), /日常执法.*保存至 \d{4}-\d\d-\d\d/s);

// The officer proposes a hold: in force at once, before anybody has confirmed it.
await officer.goto(`${demo.url}/sessions/${session}`);
await officer.click('#keeping details:has(button[value=hold]) summary');
await officer.selectOption('#keeping [name=ground]', 'objection');
await officer.fill('#keeping form:has(button[value=hold]) [name=reason]', '当事人对询问过程有异议');
await officer.click('button[value=hold]');
await officer.waitForSelector('.flash');
assert.match(await officer.textContent('#keeping .hold'), /已提出，待确认/);
await officer.locator('#keeping').scrollIntoViewIfNeeded();
await shot(officer, 'keeping-2-held');

// The leader sees that it waits, and confirms; asks to lift it, and cannot lift it alone.
const leader = await person('leader_in_charge');
assert.match(await leader.textContent('nav a[href="/retention"]'), /1/);
await leader.goto(`${demo.url}/holds`);
await leader.click('button[value=confirm]');
await leader.waitForSelector('.flash');
await leader.click('.hold details summary');
await leader.fill('.hold details [name=reason]', '异议已处理完毕');
await leader.click('button[value=ask]');
await leader.waitForSelector('.flash');
assert.equal(await leader.$$eval('button[value=lift]', (all) => all.length), 0, 'nobody lifts alone');
await shot(leader, 'keeping-3-asked');

// The legal unit lifts it; the page says so in English too.
const legal = await person('legal_unit');
await legal.goto(`${demo.url}/holds`);
await shot(legal, 'keeping-4-lift');
await legal.click('button[value=lift]');
await legal.waitForSelector('text=没有生效中的长期保存');
await legal.goto(`${demo.url}/language?to=en&back=/retention`);
await legal.goto(`${demo.url}/sessions/${session}`);
assert.match(await legal.textContent('#keeping .hold'), /Objection, complaint or petition.*Lifted/s);
await legal.locator('#keeping').scrollIntoViewIfNeeded();
await shot(legal, 'keeping-5-english');
await legal.goto(`${demo.url}/disposals`);
await shot(legal, 'keeping-6-disposals');

await browser.close();
console.log('done');
