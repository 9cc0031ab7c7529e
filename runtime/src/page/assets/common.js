// What all pages share: requests, times, and elements.
'use strict';

const find = (selector, within = document) => within.querySelector(selector);

/** Ask for `path`; a POST when there is a body. Whoever is not signed in is sent to do so. Throws what the device says is wrong. */
async function ask(path, body) {
  const options = { headers: { 'X-Tadpole': '1' } };
  if (body !== undefined) {
    options.method = 'POST';
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const reply = await fetch(path, options);
  if (reply.status === 401 && location.pathname !== '/login') {
    location.href = '/login?to=' + encodeURIComponent(location.pathname + location.search);
  }
  const told = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(told.detail ? `${told.detail}: ${told.remedy}` : `the device answers ${reply.status}`);
  return told;
}

/** The device knows no date; this tells its times by the reader's clock. */
const clock = {
  offset: null,
  set(now_s) { this.offset = Date.now() / 1000 - now_s; },
  now() { return Date.now() / 1000 - (this.offset ?? 0); },
  text(at_s) {
    const date = new Date((at_s + (this.offset ?? 0)) * 1000);
    const today = date.toDateString() === new Date().toDateString();
    const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
    return today ? time : date.toLocaleDateString([], { day: 'numeric', month: 'short' }) + ' ' + time;
  },
};

/** A score, 0 to 1, with two digits, and more where it would seem to be 1 and is not. */
const digits = (score) => {
  const wanted = [2, 3, 4, 5].find((n) => score >= 1 || Number(score.toFixed(n)) < 1);
  return score.toFixed(wanted ?? 5);
};

const span = (seconds) => {
  const s = Math.round(seconds);
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
};

/** Fill an SVG of the unit square with polygons. */
function polygons(svg, shapes) {
  svg.replaceChildren(...shapes.map(([kind, points]) => {
    const shape = document.createElementNS('http://www.w3.org/2000/svg', 'polygon');
    shape.setAttribute('class', kind);
    shape.setAttribute('points', points.map((point) => point.join(',')).join(' '));
    return shape;
  }));
}
