// A running session: marks by key and without leaving the page, so that the pictures stay. Interrupting and ending are forms.
import { post } from '/assets/console.js';

const session = document.querySelector('[data-session]').dataset.session;
const text = document.getElementById('mark-text');
const done = document.getElementById('mark-done');

async function mark(button) {
  const kind = button.form.elements.kind.value;
  // A note without words says nothing: the key leads to its field first.
  if (kind === 'note' && !text.value.trim()) { text.focus(); done.textContent = done.dataset.note; return; }
  button.disabled = true;
  try {
    await post(`/api/v1/sessions/${session}/marks`, { kind, text: text.value.trim() || null });
    text.value = '';
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
  const button = document.querySelector(`button[data-key="${CSS.escape(event.key.toUpperCase())}"]`);
  if (button) { event.preventDefault(); mark(button); }
});
