// A disposal is decided on in Debian's Chromium: what it is that goes, asked once more, and by nothing less than that.
//   node decide.mjs FILE.JSON [FOLDER FOR SCREENSHOTS]     (url, accounts, session, disposal)
import assert from 'node:assert/strict';
import { browser, demo, person, said, shot } from './browser.mjs';

const at = (path) => `${demo.url}${path}`;
// The custodian finds it where it was due, with its number, and can neither tick it nor is told that it waits.
const custodian = await person('custodian');
await custodian.goto(at('/retention'));
await custodian.waitForSelector(`.in-disposal a[href="/disposals/${demo.disposal}"]`);
assert.equal(await custodian.locator('input[name=session]').count(), 0, 'it is proposed once');
assert.match(await custodian.textContent('a[href="/retention?list=due"]'), /^到期待鉴定\s*0$/);
assert.match(await custodian.textContent('a[href="/retention?list=unclassified"]'), /^未分类\s*1$/);
await shot(custodian, 'decide-1-due');

// The leader sees party, cause, length, class and date before anything else, and is asked once more.
const leader = await person('leader_in_charge');
await leader.goto(at(`/disposals/${demo.disposal}`));
const row = await leader.textContent('table.list tbody');
assert.match(row, /张三/);
assert.match(row, /\d+:\d\d.*个文件.*(KiB|MiB|KB|MB)/s);
assert.match(row, /日常执法.*保存至 \d{4}-\d\d-\d\d/s);
await shot(leader, 'decide-2-what');
assert.equal(await leader.locator('button[value=approve]:visible').count(), 0, 'nothing goes by one press');
await leader.focus('#decide summary');
await leader.keyboard.press('Enter');
await leader.waitForSelector('#decide dialog[open]');
assert.match(await leader.textContent('#decide dialog'), /永久删除 1 件/);
// A reason and Enter decide nothing; Escape leaves it as it was.
await leader.fill('#decide dialog [name=reason]', '同意');
await leader.press('#decide dialog [name=reason]', 'Enter');
await shot(leader, 'decide-3-asked');
await leader.keyboard.press('Escape');
await leader.waitForSelector('#decide dialog', { state: 'hidden' });
await leader.click('#decide summary');
await leader.click('#decide button[value=approve]');
await leader.waitForSelector('.flash');
await leader.waitForSelector('text=已执行');
await shot(leader, 'decide-4-done');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
