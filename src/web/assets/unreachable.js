// As soon as the recorder answers again: the page that was asked for; or the form may be sent once more, by a person and never by itself.
const wasAsked = document.documentElement.dataset.method === 'GET';
document.querySelectorAll(wasAsked ? '[data-asked]' : '[data-typed]').forEach((part) => { part.hidden = false; });

async function again() {
  const answers = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(3000) }).then((answer) => answer.ok, () => false);
  if (answers && wasAsked) return location.reload();
  document.querySelector('form button').disabled = !answers;
  document.querySelectorAll('[data-back]').forEach((words) => { words.hidden = !answers; });
  setTimeout(again, 2000);
}
setTimeout(again, 1000);
