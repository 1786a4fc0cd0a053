// Ordering viewing copies, and how far each is. A copy is made behind, a minute of the session at a time.
import { post, problem } from '/assets/console.js';
import { Masks, Mutes } from '/assets/masks.js';
import { proving } from '/assets/prove.js';

const box = document.getElementById('copy-order');
const told = box?.querySelector('#copy-problem');
const words = box ? JSON.parse(box.dataset.words) : {};
const list = box?.querySelector('.copy-list');

const masks = box && new Masks(box, words);
const mutes = box && new Mutes(box, words);

function order() {
  const layout = box.querySelector('[name=layout]').value;
  const main = box.querySelector('[name=camera]');
  const others = [...main.options].map((o) => o.value).filter((v) => v !== main.value);
  const cameras = layout === 'single' ? [main.value] : [main.value, others[0]].filter(Boolean);
  return { layout, cameras, sound: box.querySelector('[name=sound]').value || null, masks: masks.order(), mutes: mutes.order() };
}

function button(text, act) {
  const made = Object.assign(document.createElement('button'), { type: 'button', textContent: text });
  made.addEventListener('click', async () => { made.disabled = true; try { await act(); } catch (no) { say(no.message); } await show(); });
  return made;
}

function line(copy) {
  const item = document.createElement('li');
  item.dataset.state = copy.state;
  item.append(`${copy.id} · ${words[copy.state]} `);
  if (copy.state === 'failed') item.append(Object.assign(document.createElement('span'), { className: 'problem', textContent: words[copy.problem === 'no_room' ? 'copy-problem-no-room' : 'copy-problem-not-made'] }));
  if (copy.state === 'running' || copy.state === 'waiting') {
    item.append(Object.assign(document.createElement('progress'), { max: 1000, value: copy.done }), ` ${Math.floor(copy.done / 10)} % `, button(words['copy-cancel'], () => post(`/api/v1/copies/${copy.id}/cancel`)));
  }
  if (copy.state === 'cancelled' || copy.state === 'failed') item.append(button(words['copy-resume'], () => post(`/api/v1/copies/${copy.id}/resume`)));
  if (copy.state === 'ready') item.append(Object.assign(document.createElement('a'), { href: `/api/v1/copies/${copy.id}/file`, download: '', textContent: `${words['copy-fetch']} ${(copy.bytes / 1e6).toFixed(1)} MB` }), Object.assign(document.createElement('small'), { className: 'code wrap', textContent: `SHA-256 ${copy.sha256}` }));
  return item;
}

function say(text) { told.hidden = !text; told.textContent = text; }

let timer = 0;
async function show() {
  const answer = await fetch('/api/v1/copies');
  if (!answer.ok) return say((await problem(answer)).message);
  const own = (await answer.json()).filter((c) => c.session === box.dataset.session && !c.for_player);
  list.replaceChildren(...own.map(line));
  clearTimeout(timer);
  if (own.some((c) => c.state === 'running' || c.state === 'waiting')) timer = setTimeout(show, 1000);
}

if (box) {
  document.getElementById('copy-now').addEventListener('click', async () => {
    say('');
    try { const wanted = order(); await proving(() => post(box.dataset.to, wanted)); await show(); } catch (no) { say(no.message); }
  });
  box.querySelector('[name=camera]').addEventListener('change', (e) => { box.querySelector('[name=mask_camera]').value = e.target.value; });
  box.addEventListener('toggle', () => { if (box.open) show(); });
}
