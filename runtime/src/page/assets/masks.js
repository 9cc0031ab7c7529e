// Draw a camera's masks and its region on what it sees.
'use strict';

const name = new URLSearchParams(location.search).get('camera') ?? '';
const shapes = { mask: [], region: [] };
let kind = 'mask';
let open = [];
/** How near to the first corner closes a shape, pixels. */
const NEAR = 22;
const round = (x) => Math.round(Math.min(1, Math.max(0, x)) * 1000) / 1000;

function draw() {
  const all = ['mask', 'region'].flatMap((kind) => shapes[kind].map((points) => [kind, points]));
  const svg = find('#drawing');
  polygons(svg, open.length > 1 ? [...all, [kind, open]] : all);
  const box = svg.getBoundingClientRect();
  for (const [x, y] of open) {
    const dot = document.createElementNS('http://www.w3.org/2000/svg', 'ellipse');
    const set = (key, value) => dot.setAttribute(key, value);
    set('cx', x); set('cy', y); set('rx', 6 / box.width); set('ry', 6 / box.height); set('fill', '#fff');
    svg.append(dot);
  }
  find('#close').disabled = open.length < 3;
  find('#undo').disabled = !open.length && !shapes[kind].length;
  for (const one of ['mask', 'region']) find('#' + one).setAttribute('aria-pressed', kind === one);
  find('#toml').textContent = toml();
}

/** What stands under the camera in the config. */
function toml() {
  const list = (key, polygons) => polygons.length ? `${key} = [\n` +
    polygons.map((points) => '  [' + points.map(([x, y]) => `[${x}, ${y}]`).join(', ') + '],\n').join('') + ']\n' : '';
  return `# under [[camera]] name = "${name}"\n` + (list('mask', shapes.mask) + list('region', shapes.region) || '# no masks\n');
}

function close() {
  if (open.length < 3) return;
  shapes[kind].push(open);
  open = [];
  draw();
}

find('#drawing').addEventListener('pointerdown', (event) => {
  const box = event.currentTarget.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const [first] = open;
  if (first && open.length > 2 && Math.hypot(first[0] * box.width - x, first[1] * box.height - y) < NEAR) return close();
  open.push([round(x / box.width), round(y / box.height)]);
  draw();
});
find('#close').addEventListener('click', close);
find('#undo').addEventListener('click', () => { if (open.length) open.pop(); else open = shapes[kind].pop() ?? []; draw(); });
find('#clear').addEventListener('click', () => { open = []; shapes.mask = []; shapes.region = []; draw(); });
for (const one of ['mask', 'region']) find('#' + one).addEventListener('click', () => { open = []; kind = one; draw(); });
find('#copy').addEventListener('click', async () => {
  try { await navigator.clipboard.writeText(toml()); say('Copied.'); } catch { say('Select the text and copy it.'); }
});
find('#save').addEventListener('click', async () => {
  close();
  try {
    const told = await ask(`/api/cameras/${name}/masks`, shapes);
    say(told.detail);
    setTimeout(show, 1500);
  } catch (error) { say(error.message, true); }
});
const say = (text, bad) => { find('#said').textContent = text; find('#said').className = bad ? 'bad' : 'faint'; };
const show = () => { find('#picture').src = `/api/cameras/${name}/snapshot.jpg?${Date.now()}`; };

find('#name').textContent = name;
ask('/api/cameras').then(({ cameras }) => {
  const camera = cameras.find((camera) => camera.name === name);
  if (!camera) return say('There is no such camera.', true);
  shapes.mask = camera.masks;
  shapes.region = camera.regions;
  if (camera.width) find('.view').style.aspectRatio = `${camera.width} / ${camera.height}`;
  show();
  draw();
}, (error) => say(error.message, true));
setInterval(show, 5000);
addEventListener('resize', draw);
