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
}

connect();
setInterval(() => {
  const quiet = Date.now() - last;
  if (quiet > 3000) { lost.hidden = false; document.body.classList.add('lost'); }
  // A link that was ended answers nothing: the page is asked for anew, and shows what the recorder says then.
  if (quiet > 5000 && Math.floor(quiet / 1000) % 5 === 0) connect();
}, 1000);
