// The live page: asks once for everything, then follows the device's events.
'use strict';

const cameras = new Map();
const alarms = new Map();
const SNAPSHOT_MS = 2000;
const WORDS = { ok: 'ok', reduced: 'reduced', degraded: 'degraded' };

function card(info) {
  const node = find('#camera').content.firstElementChild.cloneNode(true);
  const camera = { node, chart: new Chart(find('.chart', node)), moving: false, shown_at: 0, seen: true };
  new IntersectionObserver(([entry]) => { camera.seen = entry.isIntersecting; }).observe(node);
  node.dataset.name = info.name;
  find('.name', node).textContent = info.name;
  find('.masks', node).href = '/masks?camera=' + encodeURIComponent(info.name);
  find('.masks', node).hidden = !info.pictures;
  find('.live', node).hidden = !info.pictures;
  const picture = find('.picture', node);
  picture.alt = `What ${info.name} sees`;
  find('.live', node).addEventListener('click', (event) => {
    camera.moving = !camera.moving;
    event.target.setAttribute('aria-pressed', camera.moving);
    if (camera.moving) picture.src = `/api/cameras/${info.name}/preview.mjpeg`;
    else takePicture(camera, true);
  });
  find('#cameras').append(node);
  cameras.set(info.name, camera);
  return camera;
}

function showCamera(info) {
  const camera = cameras.get(info.name) ?? card(info);
  camera.info = info;
  const { node, chart } = camera;
  if (info.width) find('.view', node).style.aspectRatio = `${info.width} / ${info.height}`;
  polygons(find('.shapes', node), [...info.masks.map((mask) => ['mask', mask]), ...info.regions.map((region) => ['region', region])]);
  if (info.scores) chart.scores = info.scores;
  chart.threshold = info.threshold;
  const last = chart.scores[chart.scores.length - 1];
  if (last) showScore(camera, last[1], info.alarm);
  showHealth(info.name, info.state, info.reason);
  const count = (number, one) => number ? `${number} ${one}${number === 1 ? '' : 's'}` : '';
  const counts = [count(info.segments, 'segment'), count(info.gaps, 'gap'), count(info.frames_dropped, 'lost frame')];
  find('.counts', node).textContent = counts.filter(Boolean).join(', ');
  if (!camera.moving && info.pictures) takePicture(camera, true);
  chart.soon();
}

function showScore(camera, score, on) {
  find('.score b', camera.node).textContent = digits(score);
  find('.score small', camera.node).textContent = camera.info.threshold === null ? '' : `of ${digits(camera.info.threshold)}`;
  camera.node.classList.toggle('on', on);
  find('.alarming', camera.node).hidden = !on;
}

function showHealth(name, state, reason) {
  const camera = cameras.get(name);
  if (!camera) return;
  Object.assign(camera.info, { state, reason });
  const pill = find('.health', camera.node);
  pill.textContent = WORDS[state] ?? state;
  pill.className = `pill health ${state}`;
  const told = find('.reason', camera.node);
  told.textContent = reason;
  told.hidden = !reason;
  const all = [...cameras.values()].map((camera) => camera.info.state);
  const worst = ['degraded', 'reduced'].find((state) => all.includes(state)) ?? 'ok';
  const count = all.filter((state) => state === worst).length;
  const pillOfAll = find('#state');
  pillOfAll.textContent = worst === 'ok' ? 'all well' : `${count} of ${all.length} ${worst}`;
  pillOfAll.className = `pill ${worst}`;
}

/** A new snapshot, if the last one has come and the card can be seen. */
function takePicture(camera, anyway) {
  const now = Date.now();
  const picture = find('.picture', camera.node);
  if (camera.moving || camera.loading || document.hidden) return;
  if (!anyway && (!camera.seen || now - camera.shown_at < SNAPSHOT_MS)) return;
  camera.loading = true;
  camera.shown_at = now;
  const away = find('.away', camera.node);
  const say = (text) => { away.hidden = !text; away.textContent = text; };
  fetch(`/api/cameras/${camera.info.name}/snapshot.jpg`).then(async (reply) => {
    if (!reply.ok) throw new Error(reply.status);
    const [age, file] = [Number(reply.headers.get('X-Age-S')), await reply.blob()];
    if (camera.moving) return;
    URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(file);
    say(age > 3 ? `This picture is ${span(age)} old.` : '');
  }).catch(() => say('No picture now.')).finally(() => { camera.loading = false; });
}

function showAlarm(alarm) {
  let node = alarms.get(alarm.key)?.node;
  const fresh = !node;
  if (fresh) {
    node = find('#alarm').content.firstElementChild.cloneNode(true);
    node.dataset.key = alarm.key;
    find('#alarms').prepend(node);
    find('.sheet', node).addEventListener('toggle', () => showSheet(alarm.key));
    const mark = (word) => async () => {
      const now = alarms.get(alarm.key).mark === word ? null : word;
      try { showAlarm(await ask(`/api/alarms/${alarm.key}/mark`, { mark: now })); } catch (error) { say(error.message); }
    };
    find('.true', node).addEventListener('click', mark('true'));
    find('.false', node).addEventListener('click', mark('false'));
  }
  const before = alarms.get(alarm.key);
  alarms.set(alarm.key, { ...alarm, node, pictures: before?.pictures });
  const on = alarm.ended_at_s === null;
  node.classList.toggle('on', on);
  find('.when', node).textContent = clock.text(alarm.at_s) + (on ? ' – now' : '');
  find('.where', node).textContent = alarm.test ? 'test alarm' : `${alarm.camera}, highest score ${digits(alarm.peak)}`;
  const length = on ? '' : `${span(alarm.ended_at_s - alarm.at_s)} long`;
  find('.more', node).textContent = alarm.test ? length : [length, `frame ${alarm.first_frame} on`].filter(Boolean).join(', ');
  const mark = find('.mark', node);
  mark.hidden = !alarm.mark;
  mark.textContent = alarm.mark ?? '';
  mark.className = `pill mark ${alarm.mark ?? ''}`;
  for (const word of ['true', 'false']) find('.' + word, node).setAttribute('aria-pressed', alarm.mark === word);
  find('.marks', node).hidden = alarm.test;
  find('.sheet', node).hidden = !alarm.segments;
  if (alarm.segments && alarms.get(alarm.key).pictures !== alarm.segments) {
    alarms.get(alarm.key).pictures = alarm.segments;
    showSheet(alarm.key);
  }
  find('#no-alarms').hidden = alarms.size > 0;
  for (const [name, camera] of cameras) {
    camera.chart.alarms = [...alarms.values()].filter((alarm) => alarm.camera === name);
    camera.chart.soon();
  }
}

/** Thumbnails of the segments that raised an alarm: the highest beside the alarm, all of them when it is opened. */
async function showSheet(key) {
  const { node, test } = alarms.get(key);
  if (test) return;
  let sheet;
  try { sheet = await ask(`/api/alarms/${key}/contact-sheet`); } catch { return; }
  const with_image = sheet.segments.filter((segment) => segment.image);
  const highest = with_image.reduce((a, b) => (a && a.score >= b.score ? a : b), null);
  const camera = cameras.get(sheet.camera);
  const shape = camera?.info.width ? `${camera.info.width} / ${camera.info.height}` : '16 / 9';
  const thumb = find('.thumb', node);
  thumb.hidden = !highest;
  thumb.style.aspectRatio = shape;
  if (highest) { thumb.src = highest.image; thumb.alt = `Segment with score ${digits(highest.score)}`; }
  if (!find('.sheet', node).open) return;
  find('.segments', node).replaceChildren(...sheet.segments.map((segment) => {
    const figure = document.createElement('figure');
    figure.className = segment.score >= sheet.threshold ? 'over' : '';
    const image = document.createElement('img');
    if (segment.image) image.src = segment.image;
    image.style.aspectRatio = shape;
    image.alt = `Score ${digits(segment.score)}`;
    const told = document.createElement('figcaption');
    const score = document.createElement('b');
    score.textContent = digits(segment.score);
    told.append(clock.text(segment.at_s), score);
    figure.append(image, told);
    return figure;
  }));
}

function showDevice(device) {
  const { temperature: t, model, trial } = device;
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  const rows = [
    ['Model', `${model.name} release ${model.release}`],
    ['Its id', model.id.slice(0, 12)],
    trial && ['On trial', trial, true],
    ['Engine', device.engine],
    t && ['Temperature', `${t.celsius.toFixed(0)} °C, limit ${t.limit_c.toFixed(0)} °C (${t.zone})`, t.celsius > t.limit_c - 5],
    device.undervoltage && ['Power', 'voltage is too low', true],
    device.throttled && ['Processor', 'slowed down by the board', true],
    ['Clips looked at', device.one_in > 1 ? `1 in ${device.one_in}` : 'all', device.one_in > 1],
    device.segment_ms !== null && ['Time per segment', `${device.segment_ms.toFixed(0)} ms of 640`, device.segment_ms > 600],
    device.resident_mb !== null && ['Memory', `${device.resident_mb.toFixed(0)} MB, at most ${device.peak_mb.toFixed(0)} MB`],
    device.free_bytes !== null && ['Free on disk', megabytes(device.free_bytes), device.free_bytes < 5e7],
    ['Running for', span(device.uptime_s)],
    ['Firmware', device.firmware],
  ];
  find('#device').replaceChildren(...rows.filter(Boolean).flatMap(([name, value, bad]) => {
    const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
    dt.textContent = name;
    dd.textContent = value;
    if (bad) dd.className = 'bad';
    return [dt, dd];
  }));
  find('#mute-row').hidden = !device.can_mute;
  find('#mute').textContent = device.muted_s > 0 ? 'End mute' : 'Mute for';
  find('#minutes').hidden = device.muted_s > 0;
  find('#muted').textContent = device.muted_s > 0 ? `silent for ${span(device.muted_s)} more` : '';
  find('#leave').hidden = !device.password;
  muted = device.muted_s > 0;
}
let muted = false;

const say = (text) => { find('#said').textContent = text; };

let last_now_s = 0;

async function load() {
  const [told, list, device] = await Promise.all([ask('/api/cameras'), ask('/api/alarms'), ask('/api/device')]);
  // Another start of the firmware: its alarms begin anew.
  if (told.now_s < last_now_s) return location.reload();
  last_now_s = told.now_s;
  clock.set(told.now_s);
  told.cameras.forEach(showCamera);
  list.alarms.reverse().forEach(showAlarm);
  showDevice(device);
}

function follow() {
  const events = new EventSource('/events');
  const on = (name, then) => events.addEventListener(name, (event) => then(JSON.parse(event.data)));
  events.onopen = () => { find('#lost').hidden = true; load().catch(() => {}); };
  events.onerror = () => {
    find('#lost').hidden = false;
    if (events.readyState === EventSource.CLOSED) {
      // Refused, and not only broken: perhaps nobody is signed in any longer.
      setTimeout(() => ask('/api/device').then(follow, () => setTimeout(follow, 5000)), 1000);
    }
  };
  on('time', ({ now_s }) => clock.set(now_s));
  on('score', (told) => {
    const camera = cameras.get(told.camera);
    if (!camera) return;
    camera.chart.threshold = camera.info.threshold = told.threshold;
    camera.chart.add([told.at_s, told.score, told.held]);
    camera.info.segments += 1;
    showScore(camera, told.score, told.alarm);
    takePicture(camera);
  });
  on('alarm', showAlarm);
  on('health', ({ camera, state, reason }) => showHealth(camera, state, reason));
  on('device', showDevice);
}

find('#test').addEventListener('click', async () => {
  try { await ask('/api/test-alarm', {}); say('The test alarm is on.'); } catch (error) { say(error.message); }
});
find('#mute').addEventListener('click', async () => {
  const minutes = muted ? 0 : Number(find('#minutes').value);
  try { showDevice(await ask('/api/mute', { minutes })); say(''); } catch (error) { say(error.message); }
});
find('#leave').addEventListener('click', async () => { await ask('/api/leave', {}).catch(() => {}); location.href = '/login'; });
setInterval(() => cameras.forEach((camera) => camera.chart.soon()), 1000);
follow();
