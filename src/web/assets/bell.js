// The bell in the head of each page: how many alarms nobody has acknowledged, as it changes. It listens while somebody looks.
const bell = document.getElementById('bell');

if (bell) {
  let source;
  const show = (event) => {
    const { count, severity, words } = JSON.parse(event.data);
    bell.dataset.severity = severity ?? '';
    bell.querySelector('.count').textContent = count;
    bell.querySelector('.count').hidden = count === 0;
    bell.title = words;
    bell.querySelector('.bell-words').textContent = words;
  };
  const follow = () => {
    source?.close();
    if (document.visibilityState !== 'visible') return;
    source = new EventSource('/alarms/events');
    source.addEventListener('bell', show);
  };
  document.addEventListener('visibilitychange', follow);
  addEventListener('pagehide', () => source?.close());
  addEventListener('pageshow', (event) => { if (event.persisted) follow(); });
  follow();
}
