//! Polygons and a size come in, the pixels that they hide go out. Computed once for each size, so simple and in full precision.
//!
//! A mask hides every pixel that it touches, however little: a pixel square is touched when an edge enters it, or when its centre
//! lies inside. A region shows the pixels whose centres lie inside of it. Inside is what the outline winds around, whichever way
//! and however often: the middle of a star too.

use firmware_config::config::Polygon;

use super::Shapes;

/// Pixels of one row that are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The row, from 0.
    pub row: u32,
    /// The first pixel, from 0.
    pub from: u32,
    /// Behind the last pixel.
    pub to: u32,
}

/// An outline in pixels.
type Outline = Vec<(f64, f64)>;

/// What `shapes` hide of a picture of this width and height; rows rise, and spans of a row do not touch.
pub fn spans(shapes: &Shapes, (width, height): (u32, u32)) -> Vec<Span> {
    let mut spans = Vec::new();
    if shapes.is_empty() {
        return spans;
    }
    let outlines = |polygons: &[Polygon]| -> Vec<Outline> {
        let corner = |[x, y]: &[f32; 2]| (f64::from(*x) * f64::from(width), f64::from(*y) * f64::from(height));
        polygons.iter().map(|polygon| polygon.iter().map(corner).collect()).collect()
    };
    let (masks, regions) = (outlines(&shapes.mask), outlines(&shapes.region));
    let mut hidden = vec![false; width as usize];
    for row in 0..height {
        hidden.fill(!regions.is_empty());
        regions.iter().for_each(|outline| inside(outline, row, |from, to| set(&mut hidden, from, to, false)));
        for outline in &masks {
            inside(outline, row, |from, to| set(&mut hidden, from, to, true));
            touched(outline, row, |from, to| set(&mut hidden, from, to, true));
        }
        let mut from = 0;
        for run in hidden.chunk_by(|a, b| a == b) {
            let to = from + run.len() as u32;
            if run[0] {
                spans.push(Span { row, from, to });
            }
            from = to;
        }
    }
    spans
}

/// The pixels from `from` to before `to`, as far as they are in the picture.
fn set(row: &mut [bool], from: f64, to: f64, value: bool) {
    let pixel = |x: f64| x.clamp(0.0, row.len() as f64) as usize;
    let (from, to) = (pixel(from), pixel(to));
    if from < to {
        row[from..to].fill(value);
    }
}

fn edges(outline: &[(f64, f64)]) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
    outline.iter().copied().zip(outline.iter().copied().cycle().skip(1))
}

/// Stretches of pixels of a row whose centres lie inside.
fn inside(outline: &[(f64, f64)], row: u32, mut found: impl FnMut(f64, f64)) {
    let y = f64::from(row) + 0.5;
    let mut crossings: Vec<(f64, i32)> = edges(outline)
        .filter(|((_, y0), (_, y1))| (*y0 <= y) != (*y1 <= y))
        .map(|((x0, y0), (x1, y1))| (x0 + (y - y0) / (y1 - y0) * (x1 - x0), if y0 < y1 { 1 } else { -1 }))
        .collect();
    crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut winding, mut from) = (0, 0.0);
    for (x, way) in crossings {
        if winding == 0 {
            from = x;
        }
        winding += way;
        if winding == 0 {
            found((from - 0.5).ceil(), (x - 0.5).ceil());
        }
    }
}

/// Stretches of pixels of a row that an edge enters. One that runs along the border of two pixels enters neither.
fn touched(outline: &[(f64, f64)], row: u32, mut found: impl FnMut(f64, f64)) {
    let (top, bottom) = (f64::from(row), f64::from(row) + 1.0);
    for ((x0, y0), (x1, y1)) in edges(outline) {
        let (low, high) = (y0.min(y1), y0.max(y1));
        let (a, b) = if low == high {
            if low <= top || low >= bottom {
                continue;
            }
            (x0, x1)
        } else {
            let (low, high) = (low.max(top), high.min(bottom));
            if low >= high {
                continue;
            }
            let at = |y: f64| x0 + (y - y0) / (y1 - y0) * (x1 - x0);
            (at(low), at(high))
        };
        found(a.min(b).floor(), a.max(b).ceil());
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use proptest::prelude::*;

    use super::*;

    /// `#` is hidden.
    fn drawn(mask: &[Polygon], region: &[Polygon], (width, height): (u32, u32)) -> Vec<String> {
        let shapes = Shapes { mask: mask.into(), region: region.into() };
        let mut rows = vec![vec!['.'; width as usize]; height as usize];
        for Span { row, from, to } in spans(&shapes, (width, height)) {
            rows[row as usize][from as usize..to as usize].fill('#');
        }
        rows.into_iter().map(|row| row.into_iter().collect()).collect()
    }

    fn rectangle(x0: f32, y0: f32, x1: f32, y1: f32) -> Polygon {
        vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    }

    #[test]
    fn a_mask_hides_what_it_touches_and_a_region_shows_what_is_in_it() {
        let exact = rectangle(0.25, 0.5, 0.75, 1.0);
        assert_eq!(drawn(from_ref(&exact), &[], (8, 4)), ["........", "........", "..####..", "..####.."]);
        assert_eq!(drawn(&[], from_ref(&exact), (8, 4)), ["########", "########", "##....##", "##....##"]);
        let odd = rectangle(0.3, 0.6, 0.7, 0.9);
        assert_eq!(drawn(from_ref(&odd), &[], (8, 4)), ["........", "........", "..####..", "..####.."]);
        assert_eq!(drawn(&[], &[odd], (8, 4)), ["########", "########", "##....##", "##....##"]);
        let whole = rectangle(0.0, 0.0, 1.0, 1.0);
        assert_eq!(drawn(&[], from_ref(&whole), (4, 2)), ["....", "...."]);
        assert_eq!(drawn(&[whole], &[], (4, 2)), ["####", "####"]);
        let within_one = rectangle(0.51, 0.51, 0.52, 0.52);
        assert_eq!(drawn(&[within_one], &[], (4, 2)), ["....", "..#."]);
        assert_eq!(drawn(&[exact], &[rectangle(0.0, 0.5, 1.0, 1.0)], (8, 4))[2], "..####..", "a mask in a region");
    }

    #[test]
    fn slopes_and_stars() {
        let slope = vec![[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        assert_eq!(drawn(&[slope], &[], (4, 4)), ["#...", "##..", "###.", "####"]);
        // A star drawn in one stroke: its middle is wound around twice.
        let star = vec![[0.5, 0.0], [0.8, 1.0], [0.0, 0.4], [1.0, 0.4], [0.2, 1.0]];
        let rows = drawn(&[star], &[], (9, 9));
        assert_eq!(&rows[4][3..6], "###");
    }

    proptest! {
        /// Against the definition, by points inside of each pixel: what has a point inside of the mask is hidden.
        #[test]
        fn whatever_is_inside_is_hidden(
            corners in prop::collection::vec((0u8..=40, 0u8..=40), 3..9), width in 1u32..24, height in 1u32..24,
        ) {
            let polygon: Polygon = corners.iter().map(|&(x, y)| [f32::from(x) / 40.0, f32::from(y) / 40.0]).collect();
            let shapes = Shapes { mask: vec![polygon.clone()], region: Vec::new() };
            let mut hidden = vec![vec![false; width as usize]; height as usize];
            for Span { row, from, to } in spans(&shapes, (width, height)) {
                hidden[row as usize][from as usize..to as usize].fill(true);
            }
            for y in 0..height {
                for x in 0..width {
                    let sees = |n: u32| {
                        let (i, j) = (n % 9, n / 9);
                        let x = (f64::from(x) + (f64::from(i) + 0.5) / 9.0) / f64::from(width);
                        let y = (f64::from(y) + (f64::from(j) + 0.5) / 9.0) / f64::from(height);
                        winds(&polygon, x, y)
                    };
                    prop_assert!(hidden[y as usize][x as usize] || !(0..81).any(sees), "{x}, {y} is seen");
                }
            }
        }
    }

    /// How often an outline winds around a point: the sum of the angles at which its edges are seen.
    fn winds(polygon: &[[f32; 2]], x: f64, y: f64) -> bool {
        let seen = |[cx, cy]: [f32; 2]| (f64::from(cx) - x, f64::from(cy) - y);
        let ends = polygon.iter().copied().zip(polygon.iter().copied().cycle().skip(1));
        let angle = |(a, b): ([f32; 2], [f32; 2])| {
            let ((ax, ay), (bx, by)) = (seen(a), seen(b));
            (ax * by - ay * bx).atan2(ax * bx + ay * by)
        };
        ends.map(angle).sum::<f64>().abs() > std::f64::consts::PI
    }
}
