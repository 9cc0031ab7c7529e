//! A plot as inline SVG: axes and marks in data units in, markup out.
//!
//! Colours, widths and dashes are the page's style sheet's, by class; sizes here are in units of the view box, of which a
//! phone shows about one a pixel. Marks outside of the axes are drawn at their border. Nothing in here is escaped but texts.

use super::page::escape;

/// Width of every plot.
pub const WIDTH: f64 = 380.0;

/// Room for the axes' labels: left, right, top, bottom.
const MARGIN: [f64; 4] = [48.0, 12.0, 10.0, 38.0];

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are.
    Log,
    /// Equal ratios of odds `p / (1 - p)` are: both ends of 0..1 are stretched.
    Odds,
}

impl Scale {
    fn of(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.ln(),
            Self::Odds => (value / (1.0 - value)).ln(),
        }
    }
}

/// One axis: a range, where its labels stand, what it measures.
#[derive(Clone, Debug)]
pub struct Axis {
    title: String,
    low: f64,
    high: f64,
    scale: Scale,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From `low` to `high` (more than `low`), with about `count` labels at round numbers.
    pub fn linear(title: &str, low: f64, high: f64, count: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let rough = (high - low) / count.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * power).into_iter().find(|&step| step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let decimals = (0..6).find(|&d| ((step * 10_f64.powi(d)).fract()).abs() < 1e-9).unwrap_or(6) as usize;
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let tick = |i: i64| (i as f64 * step, format!("{:.decimals$}", i as f64 * step));
        Self { title: title.into(), low, high, scale: Scale::Linear, ticks: (first..=last).map(tick).collect() }
    }

    /// Shares, 0 to 1.
    pub fn share(title: &str) -> Self {
        Self::linear(title, 0.0, 1.0, 5)
    }

    /// From `low` to `high`, with labels where they are said to be.
    pub fn named(title: &str, low: f64, high: f64, ticks: Vec<(f64, String)>) -> Self {
        Self { title: title.into(), low, high, scale: Scale::Linear, ticks }
    }

    /// Powers of ten from `low` (above 0) to `high`.
    pub fn log(title: &str, low: f64, high: f64) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let high = if high > low { high } else { low * 10.0 };
        let powers = (low.log10() - 1e-9).ceil() as i32..=(high.log10() + 1e-9).floor() as i32;
        let name = |power: i32| match power {
            0..=2 => 10_u64.pow(power as u32).to_string(),
            3..=5 => format!("{}k", 10_u64.pow(power as u32 - 3)),
            6..=8 => format!("{}M", 10_u64.pow(power as u32 - 6)),
            -4..=-1 => format!("{:.*}", power.unsigned_abs() as usize, 10_f64.powi(power)),
            _ => format!("1e{power}"),
        };
        let ticks = powers.map(|power| (10_f64.powi(power), name(power))).collect();
        Self { title: title.into(), low, high, scale: Scale::Log, ticks }
    }

    /// Scores from .0001 to .9999, as odds: the ends, where trained scores gather, take as much room as the middle.
    pub fn odds(title: &str) -> Self {
        let ticks = [0.001_f64, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999].map(|value| (value, value.to_string())).to_vec();
        Self { title: title.into(), low: 1e-4, high: 1.0 - 1e-4, scale: Scale::Odds, ticks }
    }

    /// `count` values from the low end to the high one, equally far apart on the axis of [`Axis::odds`].
    pub fn odds_apart(count: usize) -> Vec<f64> {
        let end = Scale::Odds.of(1.0 - 1e-4);
        let at = |i: usize| end * (2.0 * i as f64 / (count - 1).max(1) as f64 - 1.0);
        (0..count).map(|i| 1.0 / (1.0 + (-at(i)).exp())).collect()
    }

    /// Where a value lies, 0 at the low end and 1 at the high one.
    fn at(&self, value: f64) -> f64 {
        let [low, high, value] =
            [self.low, self.high, value.clamp(self.low, self.high)].map(|value| self.scale.of(value));
        (value - low) / (high - low)
    }
}

/// Two axes, and marks between them.
#[derive(Clone, Debug)]
pub struct Plot {
    x: Axis,
    y: Axis,
    height: f64,
    marks: Vec<String>,
}

impl Plot {
    /// An empty one, `height` high.
    pub fn new(x: Axis, y: Axis, height: f64) -> Self {
        Self { x, y, height, marks: Vec::new() }
    }

    fn x(&self, value: f64) -> f64 {
        MARGIN[0] + self.x.at(value) * (WIDTH - MARGIN[0] - MARGIN[1])
    }

    fn y(&self, value: f64) -> f64 {
        self.height - MARGIN[3] - self.y.at(value) * (self.height - MARGIN[2] - MARGIN[3])
    }

    /// A line through points; points that fall on the one before are left out.
    pub fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path: Vec<String> = Vec::new();
        let mut before = (f64::NAN, f64::NAN);
        for (i, &(x, y)) in points.iter().enumerate() {
            let (x, y) = (self.x(x), self.y(y));
            // Written out if it is half a unit away, or the last.
            if (x - before.0).abs() < 0.5 && (y - before.1).abs() < 0.5 && i + 1 < points.len() {
                continue;
            }
            path.push(format!("{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { "L" }));
            before = (x, y);
        }
        self.path(class, &path);
    }

    /// A line of levels: each holds from its first x to its last; the next begins where it ends.
    pub fn levels(&mut self, class: &str, spans: &[(f64, f64, f64)]) {
        let mut path: Vec<String> = Vec::new();
        for &(from, to, y) in spans {
            let y = self.y(y);
            path.push(if path.is_empty() { format!("M{:.1} {y:.1}", self.x(from)) } else { format!("V{y:.1}") });
            path.push(format!("H{:.1}", self.x(to)));
        }
        self.path(class, &path);
    }

    fn path(&mut self, class: &str, path: &[String]) {
        if !path.is_empty() {
            self.marks.push(format!("<path class=\"{class}\" d=\"{}\"/>", path.concat()));
        }
    }

    /// A filled rectangle from corner to corner.
    pub fn rect(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x0, x1), (y0, y1)) = ((self.x(from.0), self.x(to.0)), (self.y(from.1), self.y(to.1)));
        let (width, height) = ((x1 - x0).abs().max(0.7), (y1 - y0).abs());
        let (x, y) = (x0.min(x1), y0.min(y1));
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"");
        self.marks.push(format!("<rect class=\"{class}\" {place}/>"));
    }

    /// A band over the whole height, at least wide enough to be seen.
    pub fn band(&mut self, class: &str, from: f64, to: f64) {
        self.rect(class, (from, self.y.low), (to, self.y.high));
    }

    /// A circle.
    pub fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        let (x, y) = (self.x(x), self.y(y));
        self.marks.push(format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"));
    }

    /// A line over the whole width at a height.
    pub fn level(&mut self, class: &str, y: f64) {
        self.line(class, &[(self.x.low, y), (self.x.high, y)]);
    }

    /// The plot; `description` is what a reader who cannot see it is told.
    pub fn svg(&self, description: &str) -> String {
        let (left, right) = (MARGIN[0], WIDTH - MARGIN[1]);
        let (top, bottom) = (MARGIN[2], self.height - MARGIN[3]);
        let mut svg = vec![format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\"><g class=\"grid\">",
            self.height,
            escape(description)
        )];
        let lines_y =
            self.y.ticks.iter().map(|(value, _)| format!("<path d=\"M{left} {:.1}H{right}\"/>", self.y(*value)));
        svg.extend(lines_y);
        let lines_x =
            self.x.ticks.iter().map(|(value, _)| format!("<path d=\"M{:.1} {top}V{bottom:.1}\"/>", self.x(*value)));
        svg.extend(lines_x);
        svg.push("</g>".into());
        svg.extend(self.marks.iter().cloned());
        svg.push("<g class=\"axis\">".into());
        for (value, name) in &self.y.ticks {
            svg.push(text((left - 6.0, self.y(*value) + 3.5), "end", name));
        }
        for (i, (value, name)) in self.x.ticks.iter().enumerate() {
            // The last label ends at the plot's border at the latest, so that it is never cut.
            let last = i + 1 == self.x.ticks.len() && self.x.at(*value) > 0.96;
            let (anchor, x) = if last { ("end", right + 4.0) } else { ("middle", self.x(*value)) };
            svg.push(text((x, bottom + 14.0), anchor, name));
        }
        let (middle_x, middle_y) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        svg.push(format!("<g class=\"title\">{}", text((middle_x, self.height - 6.0), "middle", &self.x.title)));
        let turned = format!("translate(12 {middle_y:.1}) rotate(-90)");
        svg.push(format!("<g transform=\"{turned}\">{}</g>", text((0.0, 0.0), "middle", &self.y.title)));
        svg.push("</g></g></svg>".into());
        svg.concat()
    }
}

fn text((x, y): (f64, f64), anchor: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn labels_stand_at_round_numbers() {
        assert_eq!(names(&Axis::share("")), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(names(&Axis::linear("", 0.0, 730.0, 5)), ["0", "200", "400", "600"]);
        assert_eq!(names(&Axis::linear("", 0.0, 0.0, 4)), ["0.00", "0.25", "0.50", "0.75", "1.00"]);
        assert_eq!(names(&Axis::log("", 0.1, 600.0)), ["0.1", "1", "10", "100"]);
        assert_eq!(names(&Axis::log("", 900.0, 2e6)), ["1k", "10k", "100k", "1M"]);
    }

    #[test]
    fn marks_stand_where_their_numbers_say_and_stay_inside() {
        let mut plot = Plot::new(Axis::share("x"), Axis::share("y"), 248.0);
        // 320 by 200 units, from (48, 210) upwards.
        plot.line("a", &[(0.0, 0.0), (0.5, 0.5), (0.5001, 0.5), (2.0, 1.0)]);
        plot.levels("b", &[(0.0, 0.25, 0.1), (0.25, 1.0, 0.9)]);
        let svg = plot.svg("a & b");
        assert!(svg.contains("<path class=\"a\" d=\"M48.0 210.0L208.0 110.0L368.0 10.0\"/>"), "{svg}");
        assert!(svg.contains("<path class=\"b\" d=\"M48.0 190.0H128.0V30.0H368.0\"/>"), "{svg}");
        assert!(svg.contains("aria-label=\"a &amp; b\""), "{svg}");
        let odds = Axis::odds("");
        assert!((odds.at(0.5) - 0.5).abs() < 1e-9 && odds.at(0.0) == 0.0 && odds.at(1.0) == 1.0);
        let values = Axis::odds_apart(5);
        assert!((odds.at(values[1]) - 0.25).abs() < 1e-9 && (values[2] - 0.5).abs() < 1e-9, "{values:?}");
        let log = Axis::log("", 0.1, 1000.0);
        assert!((log.at(10.0) - 0.5).abs() < 1e-12 && log.at(0.0) == 0.0);
    }
}
