// Golden pictures: pages that look the same every time are compared with how they looked when somebody last looked at them.
// What differs from run to run (digits, identifiers, what is filmed) is made the same first; what a page says and where it stands is not.
//   SHILU_UPDATE=1 writes the pictures anew: look at what changed before committing it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';

const kept = fileURLToPath(new URL('../golden/pictures/', import.meta.url));
const seen = fileURLToPath(new URL('../../target/golden-pictures/', import.meta.url));
/** Points that may differ: letters that are smoothed otherwise. A word is more. */
const MAY_DIFFER = 120;
const HEIGHT = 1400;

/** What the machine that runs the tests decides, and not the page: its clock, its disk, its alarms, the hour of the day. */
const NOT_OURS = '#bell, #machine, .not-ready, .hint:has(a[href$="/readiness"]), #walkthrough li[data-step=volume], #walkthrough li[data-step=clock]';

/** Every number is 0, every identifier a row of them; nothing that moves is shown. */
function settle(notOurs) {
  const plain = (text) => text.replace(/[0-9a-f]{8,}/g, '00000000').replace(/\b[0-9A-F]{4}(-[0-9A-F]{4})+/g, '0000-0000').replace(/\d+(\.\d+)?/g, '0');
  document.querySelectorAll(notOurs).forEach((each) => each.remove());
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) words.currentNode.textContent = plain(words.currentNode.textContent);
  for (const field of document.querySelectorAll('input, textarea')) {
    if (/^(date|month|time|datetime-local)$/.test(field.type)) field.type = 'text';
    if (/^(text|search|number|)$/.test(field.type)) { field.removeAttribute('list'); field.type = 'text'; field.value = plain(field.value); }
    if (field.placeholder) field.placeholder = plain(field.placeholder);
  }
  // What is urgent, and what comes first by it, depends on the hour.
  const things = [...document.querySelectorAll('#agenda li')].sort((a, b) => a.dataset.concern.localeCompare(b.dataset.concern));
  for (const thing of things) {
    thing.className = '';
    thing.querySelectorAll('.badge, small').forEach((each) => each.remove());
    thing.parentElement.append(thing);
  }
  for (const moving of document.querySelectorAll('video, canvas, svg.chart, .timeline, img')) moving.style.visibility = 'hidden';
  document.activeElement?.blur();
}

/** Compares a page with its picture; what is wrong in words, or nothing. The page is spoiled by it: go to it anew. */
export async function golden(page, name) {
  await page.setViewportSize({ width: 1366, height: 768 });
  await page.evaluate(() => document.fonts.ready);
  let shot;
  // A page that renews itself in between is taken again.
  do {
    await page.evaluate(settle, NOT_OURS);
    const height = Math.min(HEIGHT, await page.evaluate(() => document.documentElement.scrollHeight));
    shot = await page.screenshot({ fullPage: true, animations: 'disabled', caret: 'hide', clip: { x: 0, y: 0, width: 1366, height } });
  } while (await page.evaluate(() => /[1-9]/.test(document.body.innerText)));
  const file = `${kept}${name}.png`;
  const now = PNG.sync.read(shot);
  if (process.env.SHILU_UPDATE) {
    mkdirSync(kept, { recursive: true });
    // A picture that still fits stays as it is: only what changed is there to be looked at.
    if (existsSync(file) && !differs(PNG.sync.read(readFileSync(file)), now).told) return [];
    writeFileSync(file, shot);
    execFileSync('pngquant', ['--nofs', '--force', '--ext', '.png', '256', file]);
    return [];
  }
  if (!existsSync(file)) return [`${name}: no golden picture; SHILU_UPDATE=1 takes it`];
  const { told, diff } = differs(PNG.sync.read(readFileSync(file)), now);
  if (!told) return [];
  mkdirSync(seen, { recursive: true });
  writeFileSync(`${seen}${name}.png`, shot);
  if (diff) writeFileSync(`${seen}${name}.diff.png`, PNG.sync.write(diff));
  return [`${name} ${told}: compare ${seen}${name}.png with ${file}; SHILU_UPDATE=1 takes it anew`];
}

function differs(then, now) {
  if (then.width !== now.width || then.height !== now.height) return { told: `is ${now.width}×${now.height} and was ${then.width}×${then.height}` };
  const diff = new PNG({ width: now.width, height: now.height });
  const points = pixelmatch(then.data, now.data, diff.data, now.width, now.height, { threshold: 0.15 });
  return points > MAY_DIFFER ? { told: `differs in ${points} points`, diff } : {};
}
