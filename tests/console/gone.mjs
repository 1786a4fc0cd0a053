// A disposal whose archive copy is locked, or gone: what its page and the archive's page say, in both languages.
//   node gone.mjs BUREAU.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, said, shot } from './browser.mjs';

const custodian = await person('custodian');
const page = `${demo.url}/disposals/${demo.more.disposal}`;
await custodian.goto(page);
assert.match(await custodian.textContent('.archive-copy'), new RegExp(demo.more.words));
await shot(custodian, `gone-${demo.more.shot}`);
await custodian.goto(`${demo.url}/language?to=en&back=/disposals/${demo.more.disposal}`);
assert.match(await custodian.textContent('.archive-copy'), /^Copy in the archive: /);
await shot(custodian, `gone-${demo.more.shot}-english`);

assert.deepEqual(said, []);
await browser.close();
console.log('done');
