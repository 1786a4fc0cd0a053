// Ordering viewing copies, and how far each is. A copy is made behind, a minute of the session at a time.
import { clock, post, problem } from '/assets/console.js';
import { proving } from '/assets/prove.js';

const box = document.getElementById('copy-order');
const told = box?.querySelector('.problem');
const words = box ? JSON.parse(box.dataset.words) : {};
const list = box?.querySelector('.copy-list');

/** `0:01:30` as milliseconds. */
function moment(text) {
  const parts = text.split(':').map(Number);
  if (!parts.length || parts.some((p) => !Number.isInteger(p) || p < 0)) throw new Error(`${words['copy-bad-line']} ${text}`);
  return parts.reduce((sum, p) => sum * 60 + p, 0) * 1000;
}

function rows(name, columns) {
  const lines = box.querySelector(`[name=${name}]`).value.split('\n').map((l) => l.trim()).filter(Boolean);
  return lines.map((line) => {
    const cells = line.split(/\s+/);
    if (cells.length !== columns) throw new Error(`${words['copy-bad-line']} ${line}`);
    return cells;
  });
}

function order() {
  const layout = box.querySelector('[name=layout]').value;
  const main = box.querySelector('[name=camera]');
  const others = [...main.options].map((o) => o.value).filter((v) => v !== main.value);
  const cameras = layout === 'single' ? [main.value] : [main.value, others[0]].filter(Boolean);
  const masks = rows('masks', 6).map(([x, y, width, height, from, to]) => ({ camera: main.value, x: Number(x), y: Number(y), width: Number(width), height: Number(height), from_ms: moment(from), to_ms: moment(to) }));
  const mutes = rows('mutes', 2).map(([from, to]) => ({ from_ms: moment(from), to_ms: moment(to) }));
  return { layout, cameras, sound: box.querySelector('[name=sound]').value || null, masks, mutes };
}

function button(text, act) {
  const made = Object.assign(document.createElement('button'), { type: 'button', textContent: text });
  made.addEventListener('click', async () => { made.disabled = true; try { await act(); } catch (no) { say(no.message); } await show(); });
  return made;
}

function line(copy) {
  const item = document.createElement('li');
  item.dataset.state = copy.state;
  item.append(`${clock(0) && copy.id} · ${words[copy.state]} `);
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
  box.addEventListener('toggle', () => { if (box.open) show(); });
}
