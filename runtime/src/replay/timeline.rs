//! One picture of a replay: the score over time with its threshold, the alarms, what really happened, and the moments
//! with the highest scores. 1200 x 516 pixels; the same report gives the same bytes.

use super::draw::{Align, Canvas, Font};
use super::{Report, Thumbnail, counted, digits};
use crate::Result;

/// Pictures that fit under the curve.
pub const THUMBNAILS_MAX: usize = 8;

const WIDTH: f32 = 1200.0;
const HEIGHT: f32 = 516.0;
/// The plot's edges.
const LEFT: f32 = 76.0;
const RIGHT: f32 = 1176.0;
const TOP: f32 = 88.0;
const BOTTOM: f32 = 288.0;
/// The bars of alarms and truth under the time axis.
const BARS: f32 = 322.0;
const BAR: f32 = 10.0;
const BAR_STEP: f32 = 20.0;
/// The strip of pictures.
const STRIP: f32 = 382.0;
const STRIP_HEIGHT: f32 = 118.0;
const GAP: f32 = 8.0;

const INK: u32 = 0xFF1F_2933;
const QUIET: u32 = 0xFF66_7380;
const GRID: u32 = 0xFFE6_EAEE;
const AXIS: u32 = 0xFF9A_A5B1;
const SCORE: u32 = 0xFF1F_5FA8;
const SCORE_AREA: u32 = 0x241F_5FA8;
const LIMIT: u32 = 0xFFB4_5309;
const ALARM: u32 = 0xFFD1_2F2F;
const ALARM_AREA: u32 = 0x1FD1_2F2F;
const TRUTH: u32 = 0xFF2E_8B57;
const EMPTY: u32 = 0xFFF1_F3F5;

/// The report's picture as a PNG file.
///
/// # Errors
/// When there is no memory for it.
pub fn png(report: &Report<'_>) -> Result<Vec<u8>> {
    let mut plot = Plot {
        canvas: Canvas::new(WIDTH as u32, HEIGHT as u32)?,
        regular: Font::regular()?,
        medium: Font::medium()?,
        report,
        // A recording shorter than a segment still has an axis.
        end_s: report.scores.iter().map(|s| s.time_s).fold(report.duration_s, f64::max).max(0.1),
    };
    plot.heading();
    plot.axes();
    plot.curve();
    plot.bars();
    plot.strip();
    plot.canvas.png()
}

struct Plot<'a> {
    canvas: Canvas,
    regular: Font,
    medium: Font,
    report: &'a Report<'a>,
    end_s: f64,
}

impl Plot<'_> {
    fn x(&self, time_s: f64) -> f32 {
        LEFT + (RIGHT - LEFT) * (time_s / self.end_s).clamp(0.0, 1.0) as f32
    }

    fn y(score: f32) -> f32 {
        BOTTOM - (BOTTOM - TOP) * score.clamp(0.0, 1.0)
    }

    fn write(&mut self, size: f32, at: (f32, f32), align: Align, colour: u32, text: &str) {
        self.canvas.text(&self.regular, size, at, align, colour, text);
    }

    fn heading(&mut self) {
        let report = self.report;
        let title = self.medium.fit(report.title, 20.0, 700.0);
        self.canvas.text(&self.medium, 20.0, (LEFT, 36.0), Align::Left, INK, &title);
        let frames = if report.frames > 0 { format!("{} frames, ", report.frames) } else { String::new() };
        let top = report.scores.iter().map(|s| s.score).filter(|s| s.is_finite()).reduce(f32::max);
        let top = top.map_or_else(String::new, |t| format!("  ·  highest score {}", digits(t, 2)));
        let alarms = counted(report.alarms.len());
        let line = format!("{frames}{}  ·  {} segments  ·  {alarms}{top}", span(self.end_s), report.scores.len());
        self.write(13.0, (LEFT, 60.0), Align::Left, QUIET, &line);
        self.legend();
    }

    /// From right to left, each a sample and a word.
    fn legend(&mut self) {
        let mut x = RIGHT;
        let y = 56.0;
        let truth = self.report.truth.is_some().then_some(("truth", TRUTH));
        let words = truth.into_iter().chain([("alarm", ALARM), ("threshold", LIMIT), ("score", SCORE)]);
        for (word, colour) in words {
            self.write(13.0, (x, y + 4.0), Align::Right, INK, word);
            x -= self.regular.width(word, 13.0) + 8.0;
            match word {
                "score" => self.canvas.line(&[(x - 22.0, y), (x, y)], 2.0, colour, &[]),
                "threshold" => self.canvas.line(&[(x - 22.0, y), (x, y)], 1.5, colour, &[6.0, 4.0]),
                _ => self.canvas.rect((x - 22.0, y - 5.0), (22.0, BAR), colour),
            }
            x -= 22.0 + 20.0;
        }
    }

    fn axes(&mut self) {
        for quarter in 0..=4u8 {
            let score = f32::from(quarter) / 4.0;
            let y = Self::y(score).round() + 0.5;
            self.canvas.line(&[(LEFT, y), (RIGHT, y)], 1.0, if quarter == 0 { AXIS } else { GRID }, &[]);
            self.write(12.0, (LEFT - 10.0, y + 4.0), Align::Right, QUIET, &format!("{score:.2}"));
        }
        self.write(12.0, (LEFT - 10.0, TOP - 14.0), Align::Right, QUIET, "score");
        let step = tick_step(self.end_s);
        let count = (self.end_s / step + 1e-9) as u32;
        let word = if self.end_s < 60.0 { "seconds" } else { "time" };
        let label_end = RIGHT - self.regular.width(word, 12.0) - 12.0;
        for i in 0..=count {
            let time = f64::from(i) * step;
            let x = self.x(time).round() + 0.5;
            self.canvas.line(&[(x, BOTTOM), (x, BOTTOM + 5.0)], 1.0, AXIS, &[]);
            let label = if self.end_s < 60.0 { trim(time) } else { clock(time, 0) };
            if x + self.regular.width(&label, 12.0) / 2.0 < label_end {
                self.write(12.0, (x, BOTTOM + 20.0), Align::Middle, QUIET, &label);
            }
        }
        self.write(12.0, (RIGHT, BOTTOM + 20.0), Align::Right, QUIET, word);
    }

    fn curve(&mut self) {
        let report = self.report;
        for alarm in report.alarms {
            let (start, end) = (self.x(alarm.start_s), self.x(alarm.end_s));
            self.canvas.rect((start, TOP), ((end - start).max(1.0), BOTTOM - TOP), ALARM_AREA);
        }
        // A score that is missing or not a number breaks the curve: no line is drawn through what is not known.
        let mut run: Vec<(f32, f32)> = Vec::new();
        let mut last: Option<u64> = None;
        for row in report.scores {
            if !row.score.is_finite() || last.is_some_and(|l| row.segment != l + 1) {
                self.run(&run);
                run.clear();
            }
            if row.score.is_finite() {
                run.push((self.x(row.time_s), Self::y(row.score)));
            }
            last = Some(row.segment);
        }
        self.run(&run);
        let y = Self::y(report.threshold);
        self.canvas.line(&[(LEFT, y), (RIGHT, y)], 1.5, LIMIT, &[6.0, 4.0]);
        // Above the line at its right end, or below it when it is at the very top.
        let label = digits(report.threshold, 2);
        let above = if y - TOP > 16.0 { y - 5.0 } else { y + 14.0 };
        self.write(12.0, (RIGHT, above), Align::Right, LIMIT, &label);
    }

    /// A piece of the curve without a hole.
    fn run(&mut self, points: &[(f32, f32)]) {
        match points {
            [] => {}
            [point] => self.canvas.disc(*point, 2.5, SCORE),
            [first, .., last] => {
                let mut area = vec![(first.0, BOTTOM)];
                area.extend_from_slice(points);
                area.push((last.0, BOTTOM));
                self.canvas.shape(&area, SCORE_AREA);
                self.canvas.line(points, 2.0, SCORE, &[]);
            }
        }
    }

    fn bars(&mut self) {
        let report = self.report;
        let alarms = report.alarms.iter().map(|a| (a.start_s, a.end_s)).collect::<Vec<_>>();
        self.bar(BARS, "alarm", ALARM, &alarms);
        if let Some(truth) = report.truth {
            let spans = truth.iter().map(|t| (t.start_s, t.end_s)).collect::<Vec<_>>();
            self.bar(BARS + BAR_STEP, "truth", TRUTH, &spans);
        }
    }

    fn bar(&mut self, y: f32, word: &str, colour: u32, spans: &[(f64, f64)]) {
        self.write(12.0, (LEFT - 10.0, y + 9.0), Align::Right, QUIET, word);
        self.canvas.rect((LEFT, y), (RIGHT - LEFT, BAR), EMPTY);
        for &(start, end) in spans {
            let (start, end) = (self.x(start), self.x(end));
            self.canvas.rect((start, y), ((end - start).max(2.0), BAR), colour);
        }
    }

    /// The pictures, in the order of time, each with its number on the curve.
    fn strip(&mut self) {
        let report = self.report;
        let mut pictures: Vec<&Thumbnail> = report.thumbnails.iter().collect();
        pictures.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
        pictures.truncate(THUMBNAILS_MAX);
        if pictures.is_empty() {
            self.write(
                13.0,
                (LEFT, STRIP + 20.0),
                Align::Left,
                QUIET,
                "no pictures: recorded feature rows, or no score yet",
            );
            return;
        }
        let aspect = if report.aspect.is_finite() { report.aspect.clamp(0.5, 3.0) } else { 4.0 / 3.0 };
        let room = (RIGHT - LEFT - GAP * (THUMBNAILS_MAX - 1) as f32) / THUMBNAILS_MAX as f32;
        let (width, height) =
            if room / aspect <= STRIP_HEIGHT { (room, room / aspect) } else { (STRIP_HEIGHT * aspect, STRIP_HEIGHT) };
        for (i, picture) in pictures.into_iter().enumerate() {
            let x = LEFT + i as f32 * (width + GAP);
            self.canvas.picture(picture, (x, STRIP), (width, height));
            let number = (i + 1).to_string();
            let high = picture.score >= report.threshold;
            let colour = if high { ALARM } else { INK };
            self.mark((x + 13.0, STRIP + 13.0), colour, &number);
            self.mark((self.x(picture.time_s), Self::y(picture.score)), colour, &number);
            let y = STRIP + height + 18.0;
            self.write(12.0, (x, y), Align::Left, INK, &clock(picture.time_s, 1));
            let score = format!("{:.2}", picture.score);
            self.canvas.text(&self.medium, 12.0, (x + width, y), Align::Right, colour, &score);
        }
    }

    /// A numbered disc, the same on the curve and on the picture.
    fn mark(&mut self, (x, y): (f32, f32), colour: u32, number: &str) {
        self.canvas.disc((x, y), 9.0, 0xFFFF_FFFF);
        self.canvas.disc((x, y), 8.0, colour);
        self.canvas.text(&self.medium, 11.0, (x, y + 4.0), Align::Middle, 0xFFFF_FFFF, number);
    }
}

/// Seconds between ticks, so that there are 5 to 12 of them.
fn tick_step(end_s: f64) -> f64 {
    const STEPS: [f64; 19] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        10800.0, 21600.0,
    ];
    STEPS.into_iter().find(|s| end_s / s <= 12.0).unwrap_or(end_s / 10.0)
}

/// `2.5`, `10`: seconds without needless zeros.
fn trim(seconds: f64) -> String {
    let text = format!("{seconds:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `1:05` or, with one decimal, `1:05.3`; `2:00:09` from an hour on.
fn clock(seconds: f64, decimals: usize) -> String {
    let unit = 10f64.powi(decimals as i32);
    let seconds = (seconds * unit).round() / unit;
    let (minutes, rest) = ((seconds / 60.0) as u64, seconds % 60.0);
    let width = if decimals > 0 { 3 + decimals } else { 2 };
    if minutes >= 60 {
        format!("{}:{:02}:{rest:0width$.decimals$}", minutes / 60, minutes % 60)
    } else {
        format!("{minutes}:{rest:0width$.decimals$}")
    }
}

/// A length of time in words: `42.0 s`, `3 min 20 s`.
fn span(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_neither_few_nor_many() {
        for end in [0.1, 0.64, 3.0, 10.0, 42.0, 61.0, 90.0, 200.0, 3600.0, 86_400.0, 1e7] {
            let count = end / tick_step(end);
            assert!((1.0..=12.5).contains(&count), "{end} s: {count}");
        }
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(clock(65.0, 0), "1:05");
        assert_eq!(clock(59.96, 1), "1:00.0");
        assert_eq!(clock(7209.25, 1), "2:00:09.3");
        assert_eq!((trim(2.5), trim(10.0)), ("2.5".into(), "10".into()));
        assert_eq!((span(44.2), span(200.0), span(3700.0)), ("44.2 s".into(), "3 min 20 s".into(), "1 h 1 min".into()));
    }
}
