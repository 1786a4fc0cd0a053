// Live pictures over a WebSocket: a line of JSON, the header, then fragments that begin at a key frame. A new line means a new
// header. What does not come is said in words under the picture.

const BEHIND_MAX = 2; // seconds that a picture may lag before it jumps to the newest
const BEHIND_FAST = 0.5; // seconds from which on it catches up a little faster than it came
const KEPT = 20; // seconds of buffer
const texts = document.getElementById('words').dataset;

/** Shows a camera's live fragments in a tile; begins anew after an end. */
export function live(tile) {
  const video = tile.querySelector('video');
  const state = tile.querySelector('.tile-state');
  const say = (text, on) => { if (state.textContent !== text) state.textContent = text; state.classList.toggle('on', Boolean(on)); };
  const address = new URL(tile.dataset.live, location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  let wait = 500;
  let over = false;

  const connect = () => {
    const socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    let [media, buffer, queue, heard] = [null, null, [], Date.now()];

    const next = () => {
      if (!buffer || buffer.updating || media.readyState !== 'open') return;
      const ranges = video.buffered;
      const end = ranges.length ? ranges.end(ranges.length - 1) : 0;
      const start = ranges.length ? ranges.start(ranges.length - 1) : 0;
      if (video.currentTime < start || video.currentTime < end - BEHIND_MAX) video.currentTime = Math.max(start, end - 0.2);
      video.playbackRate = end - video.currentTime > BEHIND_FAST ? 1.1 : 1;
      if (queue.length) { try { buffer.appendBuffer(queue.shift()); } catch { socket.close(); } return; }
      if (ranges.length && end - ranges.start(0) > 2 * KEPT) buffer.remove(ranges.start(0), end - KEPT);
    };

    const begin = ({ codecs, width, height }) => {
      const type = `video/mp4; codecs="${codecs}"`;
      if (!MediaSource.isTypeSupported(type)) { over = true; socket.close(); return say(`${texts.unsupported} ${codecs}`); }
      media = new MediaSource();
      [buffer, queue] = [null, []];
      if (video.src) URL.revokeObjectURL(video.src);
      video.src = URL.createObjectURL(media);
      video.title = width ? `${width}×${height}` : '';
      const mine = media;
      media.addEventListener('sourceopen', () => {
        if (mine !== media) return;
        buffer = media.addSourceBuffer(type);
        buffer.addEventListener('updateend', next);
        next();
      }, { once: true });
      video.play().catch(() => {});
    };

    socket.onmessage = ({ data }) => {
      heard = Date.now();
      if (typeof data === 'string') return begin(JSON.parse(data));
      queue.push(data);
      // A tab in the background may stop drawing: what is old is not worth drawing, but the header (first) is.
      if (queue.length > 60) queue.splice(1, queue.length - 40);
      wait = 500;
      say(texts.onAir, true);
      next();
    };
    const silence = setInterval(() => { if (Date.now() - heard > 4000) say(texts.waiting); }, 1000);
    socket.onclose = ({ code }) => {
      clearInterval(silence);
      if (code === 4403) { video.removeAttribute('src'); video.load(); return say(texts.notAnyMore); }
      if (over) return;
      say(texts.waiting);
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 15000);
    };
    addEventListener('pagehide', () => { over = true; socket.close(); }, { once: true });
  };
  connect();
}
