// A running session: marks by key and without leaving the page, so that the pictures stay.
import { post } from '/assets/console.js';

const session = document.querySelector('[data-session]').dataset.session;
const text = document.getElementById('mark-text');
const done = document.getElementById('mark-done');

document.querySelectorAll('form[data-mark]').forEach((form) => form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = form.querySelector('button');
  try {
    await post(`/api/v1/sessions/${session}/marks`, { kind: form.elements.kind.value, text: text.value.trim() || null });
    text.value = '';
    done.textContent = `✓ ${button.textContent.trim()}`;
  } catch (problem) { done.textContent = `✕ ${problem.message}`; }
}));

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target.closest('input, select, textarea')) return;
  document.querySelector(`button[data-key="${CSS.escape(event.key.toUpperCase())}"]`)?.click();
});
