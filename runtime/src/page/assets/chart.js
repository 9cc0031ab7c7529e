// The scores of the last minutes, with the threshold and the alarms: drawn anew whenever something comes.
'use strict';

const MINUTES = 5;

class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.scores = [];
    this.alarms = [];
    this.threshold = null;
    this.pointed = null;
    this.due = false;
    new ResizeObserver(() => this.soon()).observe(canvas);
    canvas.addEventListener('pointermove', (event) => { this.pointed = event.offsetX; this.soon(); });
    canvas.addEventListener('pointerleave', () => { this.pointed = null; this.soon(); });
  }

  /** `[at_s, score, held]` of a new segment. */
  add(point) {
    this.scores.push(point);
    const old = point[0] - MINUTES * 60 - 5;
    while (this.scores.length && this.scores[0][0] < old) this.scores.shift();
    this.soon();
  }

  soon() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.draw(); });
  }

  draw() {
    const { canvas, scores } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [left, right, top, bottom] = [28, width - 4, 8, height - 20];
    const now = clock.now();
    const x = (at_s) => right - (now - at_s) / (MINUTES * 60) * (right - left);
    const y = (score) => bottom - score * (bottom - top);

    pen.font = '11px system-ui, sans-serif';
    pen.textBaseline = 'middle';
    pen.lineWidth = 1;
    for (const score of [0, 0.5, 1]) {
      pen.strokeStyle = colour('--grid');
      pen.beginPath(); pen.moveTo(left, y(score)); pen.lineTo(right, y(score)); pen.stroke();
      pen.fillStyle = colour('--faint');
      pen.textAlign = 'right';
      pen.fillText(String(score), left - 6, y(score));
    }
    pen.textAlign = 'center';
    for (let minute = 0; minute < MINUTES; minute++) {
      const at = right - minute / MINUTES * (right - left);
      pen.textAlign = minute ? 'center' : 'right';
      pen.fillText(minute ? `−${minute} min` : 'now', at, height - 8);
    }

    pen.save();
    pen.beginPath(); pen.rect(left, 0, right - left, height); pen.clip();
    for (const alarm of this.alarms) {
      const from = x(alarm.at_s), to = alarm.ended_at_s === null ? right : x(alarm.ended_at_s);
      pen.fillStyle = colour('--band');
      pen.fillRect(from, top, Math.max(2, to - from), bottom - top);
    }
    // A line for each stretch without a gap.
    let stretch = [];
    const finish = () => {
      if (stretch.length > 1) {
        pen.beginPath();
        stretch.forEach(([at, score], n) => pen[n ? 'lineTo' : 'moveTo'](x(at), y(score)));
        pen.strokeStyle = colour('--score'); pen.lineWidth = 2; pen.lineJoin = 'round'; pen.stroke();
        pen.lineTo(x(stretch[stretch.length - 1][0]), bottom); pen.lineTo(x(stretch[0][0]), bottom);
        pen.fillStyle = colour('--area'); pen.fill();
      }
      stretch = [];
    };
    for (const point of scores) {
      if (stretch.length && point[0] - stretch[stretch.length - 1][0] > 2.5) finish();
      stretch.push(point);
    }
    finish();
    pen.restore();

    if (this.threshold !== null) {
      pen.strokeStyle = colour('--alarm'); pen.lineWidth = 1.5; pen.setLineDash([6, 4]);
      pen.beginPath(); pen.moveTo(left, y(this.threshold)); pen.lineTo(right, y(this.threshold)); pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = colour('--alarm'); pen.textAlign = 'left';
      const above = y(this.threshold) - 8 > top + 4;
      pen.fillText(`threshold ${digits(this.threshold)}`, left + 4, y(this.threshold) + (above ? -8 : 9));
    }
    const last = scores[scores.length - 1];
    if (last) {
      pen.fillStyle = colour('--score');
      pen.beginPath(); pen.arc(Math.max(left, x(last[0])), y(last[1]), 3.5, 0, 7); pen.fill();
    }
    this.read(pen, x, y, colour, left, right, top, bottom);
    const of = last ? `newest score ${digits(last[1])}` : 'no score yet';
    canvas.setAttribute('aria-label', `Scores of the last ${MINUTES} minutes: ${of}, threshold ${this.threshold ?? 'unknown'}`);
  }

  /** The value under the finger. */
  read(pen, x, y, colour, left, right, top, bottom) {
    if (this.pointed === null || !this.scores.length) return;
    const near = this.scores.reduce((a, b) => Math.abs(x(b[0]) - this.pointed) < Math.abs(x(a[0]) - this.pointed) ? b : a);
    const at = x(near[0]);
    if (at < left || Math.abs(at - this.pointed) > 30) return;
    pen.strokeStyle = colour('--faint'); pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(at, top); pen.lineTo(at, bottom); pen.stroke();
    const text = `${clock.text(near[0])}  ${near[1].toFixed(3)}${near[2] ? ' (not looked at)' : ''}`;
    const wide = pen.measureText(text).width + 12;
    const from = Math.min(Math.max(left, at - wide / 2), right - wide);
    pen.fillStyle = colour('--text'); pen.fillRect(from, top, wide, 18);
    pen.fillStyle = colour('--card'); pen.textAlign = 'left'; pen.fillText(text, from + 6, top + 9);
  }
}
