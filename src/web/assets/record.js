// Typing the interview record: a line belongs to the moment at which its typing began; Enter keeps it, and the next kind follows
// by itself. Without this script the same form works, and a line belongs to the moment at which it was kept.
import { post } from '/assets/console.js';

const form = document.getElementById('record-line');
const text = form.elements.text;
const told = document.getElementById('record-told');
const session = document.querySelector('[data-record]').dataset.record;
const list = document.querySelector('.record-lines');
const opened = performance.now();
const elapsed = Number(form.elements.at_ms.dataset.elapsed);
let began = null;

text.addEventListener('input', () => { began = text.value ? began ?? Math.round(elapsed + performance.now() - opened) : null; });

// Enter keeps; with Shift it breaks the line; not while a character is being composed.
text.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const kind = form.elements.kind.value;
  const button = form.querySelector('button');
  button.disabled = true;
  try {
    const record = await post(`/api/v1/sessions/${session}/record`, { change: 'line', kind, text: text.value, at_ms: began });
    show(record.lines.at(-1));
    text.value = '';
    began = null;
    told.className = 'hint';
    told.textContent = '';
    form.elements.kind.value = kind === 'question' ? 'answer' : 'question';
  } catch (problem) {
    // What was typed stays where it is.
    told.className = 'problem';
    told.textContent = problem.message;
  } finally { button.disabled = false; text.focus(); }
});

function show(line) {
  const s = Math.floor(line.at_ms / 1000);
  const item = document.createElement('li');
  item.className = `record-${line.kind}`;
  const time = Object.assign(document.createElement('span'), { className: 'time', textContent: `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, '0')}:${String(s % 60).padStart(2, '0')}` });
  const kind = Object.assign(document.createElement('span'), { className: 'record-kind', textContent: form.querySelector(`[name=kind][value=${line.kind}]`).parentElement.textContent.trim().slice(0, 1) + '：' });
  const words = Object.assign(document.createElement('span'), { className: 'record-text', textContent: line.text });
  item.append(time, ' ', kind, ' ', words);
  list.append(item);
  item.scrollIntoView({ block: 'nearest' });
  // With the first line there is something to correct and to sign; what was typed last is the first that one corrects.
  document.getElementById('record-empty')?.remove();
  document.querySelectorAll('[data-after-line]').forEach((part) => { part.hidden = false; });
  const choice = Object.assign(document.createElement('option'), { value: line.number, textContent: `${time.textContent} ${kind.textContent}${line.text.slice(0, 14)}` });
  choice.dataset.text = line.text;
  const lines = document.querySelector('select[name=number]');
  const untouched = lines.selectedIndex <= 0 && !lines.closest('details').open;
  lines.prepend(choice);
  if (untouched) { lines.selectedIndex = 0; lines.dispatchEvent(new Event('change')); }
}

// Correcting begins with what stands there.
const which = document.querySelector('select[name=number]');
if (which) {
  const field = which.form.elements.text;
  const fill = () => { field.value = which.selectedOptions[0]?.dataset.text ?? ''; };
  which.addEventListener('change', fill);
  fill();
}
