// The room screen keeps itself current for days. When nothing comes, it says so at once: it never shows a recording that may be
// over. It asks for itself anew until the recorder answers again.
const place = document.getElementById('now');
const lost = document.getElementById('lost');
let last = Date.now();
let source = null;

function connect() {
  source?.close();
  source = new EventSource(place.dataset.stream);
  source.addEventListener('now', (event) => {
    last = Date.now();
    lost.hidden = true;
    document.body.classList.remove('lost');
    place.innerHTML = event.data;
  });
  source.addEventListener('error', ask);
}

// A link that was ended has no stream any more: its page says so, and stands here from then on. Whatever else it is, it may pass.
let asks = false;
async function ask() {
  if (asks) return;
  asks = true;
  const answer = await fetch(location.href, { method: 'HEAD' }).catch(() => null);
  asks = false;
  if (answer?.status === 404) location.reload();
}

connect();
setInterval(() => {
  const quiet = Date.now() - last;
  if (quiet > 3000) { lost.hidden = false; document.body.classList.add('lost'); }
  if (quiet > 5000 && Math.floor(quiet / 1000) % 5 === 0) connect();
}, 1000);
