// A running session: marks by key and without leaving the page, so that the pictures stay. Interrupting and ending are forms.
import { post } from '/assets/console.js';

const session = document.querySelector('[data-session]').dataset.session;
const text = document.getElementById('mark-text');
const manner = document.getElementById('mark-manner');
const witness = document.getElementById('mark-witness');
const done = document.getElementById('mark-done');

async function mark(button) {
  const kind = button.form.elements.kind.value;
  // A note without words says nothing: the key leads to its field first.
  if (kind === 'note' && !text.value.trim()) { text.focus(); done.textContent = done.dataset.note; return; }
  const refuses = kind === 'signature_refusal';
  // Why nobody signs, and who saw it, are asked for; a second press marks it without.
  if (refuses && !text.value.trim() && !done.dataset.asked) { text.focus(); done.textContent = done.dataset.refusal; done.dataset.asked = '1'; return; }
  delete done.dataset.asked;
  const told = kind.startsWith('right_') || kind === 'notice_given';
  button.disabled = true;
  try {
    await post(`/api/v1/sessions/${session}/marks`, { kind, manner: told ? manner.value : null, text: text.value.trim() || null, witness: (refuses && witness.value.trim()) || null });
    text.value = '';
    if (refuses) witness.value = '';
    button.classList.add('set');
    done.className = 'hint';
    done.textContent = `✓ ${done.dataset.done}${button.dataset.word}`;
  } catch (problem) {
    done.className = 'problem';
    done.textContent = `${done.dataset.failed}${button.dataset.word}. ${problem.message}`;
  } finally { button.disabled = false; }
}

document.querySelectorAll('form[data-mark]').forEach((form) => form.addEventListener('submit', (event) => {
  event.preventDefault();
  mark(form.querySelector('button'));
}));

text.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.isComposing) { event.preventDefault(); mark(document.querySelector('button[data-key="T"]')); text.blur(); }
  if (event.key === 'Escape') text.blur();
});

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
  if (event.target.closest('input, select, textarea, dialog') || document.querySelector('dialog[open]')) return;
  if (event.key.toUpperCase() === 'L') { location.href = `/sessions/${session}/record`; return; }
  const button = document.querySelector(`button[data-key="${CSS.escape(event.key.toUpperCase())}"]`);
  if (button) { event.preventDefault(); mark(button); }
});

// How loud it is, from the very sound that is recorded; nobody hears it here. A browser lets sound begin only after a key or a
// click: until then no level is shown, rather than a false silence.
function level(tile) {
  const video = tile.querySelector('video');
  const shown = tile.querySelector('.level');
  const meter = shown.querySelector('meter');
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  // Into the analyser and nowhere else: unmuted, and still silent.
  context.createMediaElementSource(video).connect(analyser);
  video.muted = false;
  video.play().catch(() => {});
  const samples = new Float32Array(2048);
  setInterval(() => {
    if (document.hidden || context.state !== 'running') return;
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, s) => sum + s * s, 0) / samples.length;
    const db = Math.max(-60, 10 * Math.log10(power + 1e-9));
    // A camera without sound has no level to show.
    if (db > -60) shown.hidden = false;
    meter.value = db;
    meter.title = `${Math.round(db)} dB`;
  }, 200);
}
let shows = false;
for (const gesture of ['pointerdown', 'keydown']) {
  addEventListener(gesture, () => { if (!shows) { shows = true; document.querySelectorAll('.tile').forEach(level); } });
}
