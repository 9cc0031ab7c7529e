//! What stands beside the road: houses, trees and lamp posts. None may stand between the lens and the road.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::canvas::Canvas;
use super::ground::hash;
use crate::source::sim::camera::{Camera, V3, v3};
use crate::source::sim::spec::Light;
use crate::source::sim::weather::{Rgb, Weather, lit, mix};
use crate::source::sim::world::{Place, Setting};

/// Something that stands beside the road.
pub(super) enum Scenery {
    House { s: f32, d: f32, size: [f32; 3], colour: Rgb, seed: u32 },
    Tree { at: V3, high: f32, seed: u32 },
    Post { at: V3, reach: f32 },
}

impl Scenery {
    /// Paint it.
    pub(super) fn paint(&self, canvas: &mut Canvas, camera: &Camera, weather: &Weather, place: &Place) {
        match self {
            Self::House { s, d, size, colour, seed } => {
                house(canvas, camera, weather, place, (*s, *d, *size), *colour, *seed);
            }
            Self::Tree { at, high, seed } => tree(canvas, camera, weather, *at, *high, *seed),
            Self::Post { at, reach } => post(canvas, camera, weather, *at, *reach),
        }
    }
}

/// Choose what stands beside the road, with its distance.
pub(super) fn plan(place: &Place, weather: &Weather, rng: &mut Pcg64Mcg, out: &mut Vec<(f32, Scenery)>) {
    let road = &place.road;
    let lens = place.camera.at.x;
    let border = road.paved + road.pavement;
    for side in [-1.0_f32, 1.0] {
        // On the lens' own side nothing may stand between it and the road.
        let least = if lens * side > border - 1.0 { lens.abs() + 2.5 } else { border };
        let mut s: f32 = rng.random_range(-4.0..10.0);
        while s < 260.0 {
            match road.setting {
                Setting::Town => {
                    let long = rng.random_range(9.0..24.0);
                    if rng.random_bool(0.8) {
                        let d = side * (least + rng.random_range(0.8..5.0));
                        let size = [long, rng.random_range(9.0..14.0), rng.random_range(5.0..17.0)];
                        let tones = [
                            [0.62, 0.55, 0.47],
                            [0.70, 0.68, 0.63],
                            [0.52, 0.33, 0.27],
                            [0.58, 0.60, 0.62],
                            [0.74, 0.66, 0.52],
                            [0.45, 0.43, 0.42],
                        ];
                        let colour = tones[rng.random_range(0..tones.len())].map(|c| c * rng.random_range(0.85..1.1));
                        out.push((s + long * 0.5, Scenery::House { s, d, size, colour, seed: rng.random() }));
                    }
                    if road.pavement > 2.4 && rng.random_bool(0.5) && s > 14.0 {
                        let at = road.point(s, side * (least + 0.4).max(road.paved + road.pavement - 0.4), 0.0);
                        out.push((s, Scenery::Tree { at, high: rng.random_range(4.0..7.0), seed: rng.random() }));
                    }
                    s += long + rng.random_range(0.0..7.0);
                }
                Setting::Country => {
                    if s > 12.0 {
                        let d = side * (least + rng.random_range(2.5..22.0));
                        let high = rng.random_range(4.0..11.0);
                        out.push((s, Scenery::Tree { at: road.point(s, d, 0.0), high, seed: rng.random() }));
                    }
                    s += rng.random_range(1.5..11.0);
                }
            }
        }
    }
    for (at, reach) in &weather.posts {
        out.push((at.z, Scenery::Post { at: *at, reach: *reach }));
    }
}

fn house(
    canvas: &mut Canvas,
    camera: &Camera,
    weather: &Weather,
    place: &Place,
    at: (f32, f32, [f32; 3]),
    colour: Rgb,
    seed: u32,
) {
    let (s, d, [long, deep, high]) = at;
    let side = d.signum();
    let corner =
        |along: f32, away: f32, up: f32| place.road.point(s + along, d + side * away, 0.0).plus(v3(0.0, up, 0.0));
    let distance = |p: V3| camera.view(p).z.max(1.0);
    let mut wall = |points: [V3; 4], normal: V3, tone: Rgb, shine: bool| {
        if normal.dot(points[0].minus(camera.at)) >= 0.0 {
            return;
        }
        let middle = points[0].lerp(points[2], 0.5);
        let light = if shine { [1.0; 3] } else { weather.falling(middle, normal) };
        canvas.face(camera, &points, weather.through(lit(tone, light), distance(middle)), 1.0, false);
    };
    let front = v3(-side, 0.0, 0.0);
    wall(
        [corner(0.0, 0.0, 0.0), corner(0.0, deep, 0.0), corner(0.0, deep, high), corner(0.0, 0.0, high)],
        v3(0.0, 0.0, -1.0),
        colour.map(|c| c * 0.9),
        false,
    );
    wall(
        [corner(long, 0.0, 0.0), corner(long, deep, 0.0), corner(long, deep, high), corner(long, 0.0, high)],
        v3(0.0, 0.0, 1.0),
        colour,
        false,
    );
    wall(
        [corner(0.0, 0.0, 0.0), corner(long, 0.0, 0.0), corner(long, 0.0, high), corner(0.0, 0.0, high)],
        front,
        colour,
        false,
    );
    wall(
        [corner(0.0, 0.0, high), corner(long, 0.0, high), corner(long, deep, high), corner(0.0, deep, high)],
        v3(0.0, 1.0, 0.0),
        [0.35, 0.31, 0.30],
        false,
    );
    let (floors, bays) = ((high / 3.1) as i32, (long / 2.6) as i32);
    for floor in 0..floors.max(1) {
        for bay in 0..bays {
            let a = (bay as f32 + 0.5) * long / bays as f32;
            let shop = floor == 0 && seed.is_multiple_of(3);
            let (half, u0, u1) =
                if shop { (1.1, 0.4, 2.4) } else { (0.55, floor as f32 * 3.1 + 1.0, floor as f32 * 3.1 + 2.4) };
            let on = weather.light != Light::Day && hash(floor, bay, seed) > if shop { 0.35 } else { 0.68 };
            let tone = if on {
                [0.86, 0.70, 0.40].map(|c| c * (0.55 + 0.4 * hash(bay, floor, seed + 1)))
            } else {
                [0.14, 0.17, 0.21]
            };
            let quad = [
                corner(a - half, -0.03, u0),
                corner(a + half, -0.03, u0),
                corner(a + half, -0.03, u1),
                corner(a - half, -0.03, u1),
            ];
            wall(quad, front, tone, on);
        }
    }
}

fn tree(canvas: &mut Canvas, camera: &Camera, weather: &Weather, at: V3, high: f32, seed: u32) {
    let Some((x, y, scale)) = camera.project(at) else {
        return;
    };
    let Some((_, top, _)) = camera.project(at.plus(v3(0.0, high, 0.0))) else {
        return;
    };
    let distance = camera.focal / scale;
    let tone = |c: Rgb| weather.through(lit(c, weather.falling(at, v3(0.0, 0.5, -0.5))), distance);
    let h = y - top;
    canvas.glow((x, y), (h * 0.35, h * 0.07), [0.0; 3], 0.5, false);
    let trunk = [(x - h * 0.022, y), (x - h * 0.015, y - h * 0.5), (x + h * 0.015, y - h * 0.5), (x + h * 0.022, y)];
    canvas.poly(&trunk, tone([0.26, 0.20, 0.15]), 1.0, false);
    let leaf = mix([0.16, 0.27, 0.10], [0.34, 0.36, 0.16], hash(3, 4, seed));
    for k in 0..56 {
        let (a, r) = (hash(k, 1, seed) * std::f32::consts::TAU, hash(k, 2, seed).sqrt());
        let (cx, cy) = (x + a.cos() * r * h * 0.27, y - h * 0.66 + a.sin() * r * h * 0.31);
        let bright = 0.55 + 0.35 * hash(k, 3, seed) - 0.35 * a.sin() * r;
        let radius = h * (0.06 + 0.05 * hash(k, 5, seed));
        let mut blob = [(0.0, 0.0); 7];
        for (i, p) in blob.iter_mut().enumerate() {
            let angle = i as f32 * 0.8976;
            let wobble = radius * (0.7 + 0.6 * hash(k, 10 + i as i32, seed));
            *p = (cx + angle.cos() * wobble, cy + angle.sin() * wobble);
        }
        canvas.poly(&blob, tone(leaf.map(|c| c * bright * 1.3)), 0.9, false);
    }
}

fn post(canvas: &mut Canvas, camera: &Camera, weather: &Weather, at: V3, reach: f32) {
    let steel = |p: V3| {
        weather.through(lit([0.42, 0.43, 0.44], weather.falling(p, v3(0.0, 0.2, -0.9))), camera.view(p).z.max(1.0))
    };
    let top = at.plus(v3(0.0, 8.6, 0.0));
    let colour = steel(at);
    let pole = [
        at.plus(v3(-0.09, 0.0, 0.0)),
        top.plus(v3(-0.06, 0.0, 0.0)),
        top.plus(v3(0.06, 0.0, 0.0)),
        at.plus(v3(0.09, 0.0, 0.0)),
    ];
    canvas.face(camera, &pole, colour, 1.0, false);
    let end = top.plus(v3(reach, 0.15, 0.0));
    let arm = [top, end, end.plus(v3(0.0, -0.1, 0.0)), top.plus(v3(0.0, -0.12, 0.0))];
    canvas.face(camera, &arm, colour, 1.0, false);
    let lamp = [
        end.plus(v3(-0.35, -0.12, 0.0)),
        end.plus(v3(0.25, -0.12, 0.0)),
        end.plus(v3(0.25, 0.02, 0.0)),
        end.plus(v3(-0.35, 0.02, 0.0)),
    ];
    let on = weather.light != Light::Day;
    canvas.face(camera, &lamp, if on { weather.lamp_colour } else { colour.map(|c| c * 0.7) }, 1.0, false);
    if on && let Some((x, y, scale)) = camera.project(end.plus(v3(0.0, -0.15, 0.0))) {
        canvas.glow((x, y), (scale * 1.3, scale * 1.3), weather.lamp_colour, 0.8, true);
        canvas.glow((x, y), (scale * 0.4, scale * 0.4), [1.0; 3], 0.9, true);
    }
}
