// The overview of two sites, and the archive's page at one of them.
import assert from 'node:assert/strict';
import { browser, demo, person, said, screen, shot } from './browser.mjs';

// Wrong passwords say so; the sixth is not even looked at.
// Its certificate is its own here.
const own = { ignoreHTTPSErrors: true };
const stranger = await screen(own);
for (let n = 0; n < 6; n += 1) {
  await stranger.goto(`${demo.url}/login`);
  await stranger.fill('[name=username]', 'nobody');
  await stranger.fill('[name=password]', 'not the password');
  await stranger.press('[name=password]', 'Enter');
  await stranger.waitForSelector('[role=alert].problem');
}
assert.match(await stranger.textContent('.problem'), /锁定/);
await stranger.goto(`${demo.url}/search`);
assert.equal(new URL(stranger.url()).pathname, '/login');

const overseer = await person('overseer', own);
const [cookie] = await overseer.context().cookies();
assert.deepEqual([cookie.name, cookie.secure, cookie.httpOnly], ['__Host-shilu-overview', true, true]);
await overseer.waitForSelector('#site-site-a .tally');
for (const site of ['site-a', 'site-b']) {
  const text = await overseer.textContent(`#site-${site}`);
  assert.match(text, /正常上报/);
  assert.match(text, /第一询问室/);
}
assert.match(await overseer.textContent('#site-site-a'), /已由已知密钥签名/);
assert.match(await overseer.textContent('#site-site-b'), /密钥未核对/);
// The way to the console that owns the footage, also for a telephone held before the screen.
assert.equal(await overseer.getAttribute('#site-site-a .console a', 'href'), 'https://a.bureau.example');
assert.equal(await overseer.locator('#site-site-a .console .qr svg').count(), 1);
assert.equal(await overseer.locator('#site-site-b .console').count(), 0);
await shot(overseer, 'overview-01-sites');

// By the six fields, over both; one narrows to one site.
const rows = async (query) => { await overseer.goto(`${demo.url}/search?${query}`); return overseer.locator('tbody tr').count(); };
assert.equal(await rows(''), 2);
assert.equal(await rows(new URLSearchParams({ party: '张三', officer: '冀E-017', device_no: 'XW-101', cause: '占用' })), 2);
assert.equal(await rows(new URLSearchParams({ party: '李四' })), 0);
assert.match(await overseer.textContent('.empty'), /没有/);
assert.equal(await rows('site=site-a&from=&until='), 1);
const link = await overseer.getAttribute('tbody a', 'href');
assert.match(link, /^https:\/\/a\.bureau\.example\/access\/new\?session=room-1-/);
await shot(overseer, 'overview-02-search');
await overseer.goto(`${demo.url}/language?to=en&back=/search`);
await shot(overseer, 'overview-03-english');
assert.match(await overseer.textContent('h1'), /Search all sites/);
// No picture by any address.
for (const path of ['/api/v1/sessions', '/footage', '/sessions/x', '/api/v1/viewings/x/face/1']) {
  assert.equal((await overseer.request.get(`${demo.url}${path}`)).status(), 404, path);
}
await overseer.click('form[action="/logout"] button');
await overseer.waitForURL(/login/);

// The archive's page at the site itself.
const inspector = await screen();
await inspector.goto(`${demo.bureau.url}/login`);
await inspector.fill('[name=username]', 'inspector');
await inspector.fill('[name=password]', demo.bureau.password);
await inspector.press('[name=password]', 'Enter');
await inspector.waitForURL((url) => !url.pathname.startsWith('/login'));
await inspector.goto(`${demo.bureau.url}/archive`);
assert.match(await inspector.textContent('#standing'), /已全部归档并校验|正在处理|待归档/);
await shot(inspector, 'archive-01');
await inspector.click('form[action="/archive/verify"] button');
await inspector.waitForSelector('.flash');
await inspector.goto(`${demo.bureau.url}/language?to=en&back=/archive`);
await shot(inspector, 'archive-02-english');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
