//! What of a camera's picture may be seen: `mask` and `region` of `[[camera]]`. Polygons come in, and what cannot be of them
//! goes out. Blacking out is the runtime's.

use super::{Camera, Problem};

/// Corners as shares of the picture's width and height, from its upper left corner, 0 to 1; the last is joined to the first.
pub type Polygon = Vec<[f32; 2]>;

/// The most polygons of a mask, and of a region.
pub const POLYGONS_MAX: usize = 16;
/// The fewest corners of a polygon.
pub const CORNERS_MIN: usize = 3;
/// The most corners of a polygon.
pub const CORNERS_MAX: usize = 64;

/// Every problem of a camera's mask and region; `at` is the camera's key.
pub(super) fn problems(at: &str, camera: &Camera, problems: &mut Vec<Problem>) {
    for (name, polygons) in [("mask", &camera.mask), ("region", &camera.region)] {
        let key = format!("{at}.{name}");
        if polygons.is_empty() {
            continue;
        }
        if camera.source.starts_with("features://") {
            let remedy = "leave it out: what was masked when the rows were made stays so";
            problems.push(Problem::new(&key, "is for pictures, and recorded rows have none", remedy));
        }
        if polygons.len() > POLYGONS_MAX {
            let problem = format!("has {} polygons, more than {POLYGONS_MAX}", polygons.len());
            problems.push(Problem::new(&key, problem, "join some of them"));
        }
        for (n, polygon) in polygons.iter().enumerate() {
            if let Some((problem, remedy)) = polygon_problem(polygon) {
                problems.push(Problem::new(format!("{key}[{n}]"), problem, remedy));
            }
        }
    }
}

fn polygon_problem(polygon: &[[f32; 2]]) -> Option<(String, &'static str)> {
    let corners = polygon.len();
    if !(CORNERS_MIN..=CORNERS_MAX).contains(&corners) {
        return Some((
            format!("has {corners} corners, not {CORNERS_MIN} to {CORNERS_MAX}"),
            "write `[[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]`, one `[x, y]` for each corner",
        ));
    }
    if let Some([x, y]) = polygon.iter().find(|corner| !corner.iter().all(|share| (0.0..=1.0).contains(share))) {
        return Some((
            format!("has the corner [{x}, {y}], which is not in the picture"),
            "write shares of width and height, 0 to 1, and no pixels",
        ));
    }
    // All corners on one line would hide nothing, and look as if they did.
    let [x0, y0] = polygon[0];
    let apart = |[x1, y1]: [f32; 2], [x2, y2]: [f32; 2]| ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)).abs() > 1e-9;
    let flat = !polygon.iter().enumerate().any(|(n, a)| polygon[n..].iter().any(|b| apart(*a, *b)));
    flat.then(|| ("encloses nothing: its corners are on one line".into(), "write corners around what is meant"))
}
