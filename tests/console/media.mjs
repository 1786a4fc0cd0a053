// Media in Debian's Chromium: a held session, the plan before anything is made, a copy onto a removable disk, its label.
//   node media.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, recordsOne, said, shot } from './browser.mjs';

const officer = await person('officer');
const session = await recordsOne(officer);
assert.equal(await officer.locator('nav a[href="/media"]').count(), 0, 'an officer keeps no media');

const legal = await person('legal_unit');
await legal.click('nav a[href="/retention"]');
await legal.click('nav a[href="/media"]');
await legal.waitForSelector('.empty');
await shot(legal, 'media-0-empty');
await legal.goto(`${demo.url}/provisions`);
await legal.fill('[name=letter_no]', '（2026）冀0533行初1号');
await legal.fill('[name=receiving_body]', '威县人民法院');
await legal.selectOption('[name=kind]', 'litigation');
await legal.fill('[name=received]', '2026-11-20');
await legal.fill('[name=sessions]', session);
await legal.click('form[action="/provisions"] button.primary');

const custodian = await person('custodian');
await custodian.click('nav a[href="/retention"]');
await custodian.click('nav a[href="/media"]');
await custodian.waitForSelector(`text=${session}`);
await shot(custodian, 'media-1-register');
await custodian.click('a[href="/media/new"]');
assert.ok(await custodian.isChecked(`input[value="${session}"]`), 'a held session without a medium is ticked');
// What cannot be is told beside what was typed.
await custodian.selectOption('[name=kind]', 'removable_disk');
await custodian.click('button[value=plan]');
await custodian.waitForSelector('.problem');
await shot(custodian, 'media-2-problem');
await custodian.selectOption('[name=kind]', 'dvd');
await custodian.focus('button[value=plan]');
await custodian.keyboard.press('Enter');
await custodian.waitForSelector('#plan table');
await shot(custodian, 'media-3-plan');
await custodian.click('button[value=order]');
await custodian.waitForSelector('.flash');
await custodian.click('table.list a[href^="/media/d-"]');
await custodian.waitForFunction(() => document.querySelector('button[value=write]'), null, { timeout: 120000 });
await shot(custodian, 'media-4-ready');
await custodian.fill('[name=place]', '档案室三号柜');
await custodian.click('button[value=write]');
// The demo has no burner: the copy is void, and the history says so.
await custodian.waitForFunction(() => document.querySelector('.badge.bad') && document.querySelector('button[value=write]'), null, { timeout: 60000 });
await custodian.click('details summary');
await shot(custodian, 'media-5-no-burner');
await custodian.goto(`${custodian.url().split('?')[0]}/label?copy=1`);
await custodian.waitForSelector('.case .qr svg');
assert.ok((await custodian.textContent('.case')).includes('案件当事人'));
await shot(custodian, 'media-6-label');
await custodian.goto(`${demo.url}/language?to=en&back=/media`);
await custodian.waitForSelector('h1');
assert.ok((await custodian.textContent('h1')).includes('Register of media'));
await shot(custodian, 'media-7-english');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
