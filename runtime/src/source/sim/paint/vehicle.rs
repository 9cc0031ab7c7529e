//! A vehicle in, its shadow, faces, wheels, windows and lamps painted.

use super::brush::{Brush, Glass, Open, Paint, Pose};
use super::canvas::Canvas;
use crate::source::sim::camera::{Camera, V3, v3};
use crate::source::sim::vehicle::{Body, Vehicle};
use crate::source::sim::weather::{Weather, lit, mix};
use crate::source::sim::world::Road;

/// Paint the shadow that a vehicle throws and the dark below it.
pub fn shadow(canvas: &mut Canvas, camera: &Camera, weather: &Weather, road: &Road, v: &Vehicle) {
    let pose = Pose::new(road, v.s, v.d, v.heading);
    let (l, w, h) = (v.size[0] * 0.5, v.size[1] * 0.5, v.size[2] * 0.9);
    let alpha = v.opacity;
    if weather.sunlight[0] > 0.04 {
        let reach = (h / weather.sun.y).min(9.0);
        let (dx, dz) = (-weather.sun.x * reach, -weather.sun.z * reach);
        let mut points = [V3::default(); 8];
        for (i, (f, r)) in [(-l, -w), (-l, w), (l, w), (l, -w)].into_iter().enumerate() {
            let p = pose.point(f, r, 0.0);
            points[i] = p;
            points[i + 4] = p.plus(v3(dx, 0.0, dz));
        }
        let hull = hull(&mut points);
        canvas.face(camera, hull, [0.02, 0.02, 0.05], (0.9 * weather.sunlight[0]).min(0.42) * alpha, false);
    }
    for (grow, dark) in [(0.28, 0.22), (0.02, 0.50)] {
        let (l, w) = (l + grow, w + grow);
        let points = [(-l, -w), (-l, w), (l, w), (l, -w)].map(|(f, r)| pose.point(f, r, 0.0));
        canvas.face(camera, &points, [0.01, 0.01, 0.015], dark * alpha, false);
    }
}

/// The convex hull of eight points of the ground.
fn hull(points: &mut [V3; 8]) -> &[V3] {
    points.sort_by(|a, b| (a.x, a.z).partial_cmp(&(b.x, b.z)).unwrap_or(std::cmp::Ordering::Equal));
    let sorted = *points;
    let cross = |o: V3, a: V3, b: V3| (a.x - o.x) * (b.z - o.z) - (a.z - o.z) * (b.x - o.x);
    let mut chain = [V3::default(); 18];
    let mut n = 0;
    for k in 0..15 {
        let p = if k < 8 { sorted[k] } else { sorted[14 - k] };
        let floor = if k < 8 { 0 } else { chain[..n].iter().position(|q| *q == sorted[7]).unwrap_or(0) };
        while n >= floor + 2 && cross(chain[n - 2], chain[n - 1], p) <= 0.0 {
            n -= 1;
        }
        chain[n] = p;
        n += 1;
    }
    let n = n.saturating_sub(1).min(8);
    points[..n].copy_from_slice(&chain[..n]);
    &points[..n]
}

/// Paint the vehicle, all but its glowing lights.
pub fn body(canvas: &mut Canvas, camera: &Camera, weather: &Weather, road: &Road, v: &Vehicle) {
    let pose = Pose::new(road, v.s, v.d, v.heading);
    let distance = camera.view(pose.at).z.max(0.1);
    let brush = Brush { camera, weather, alpha: v.opacity, distance };
    let [length, wide, high] = v.size;
    let (l, w) = (length * 0.5, wide * 0.5);
    let colour = mix(v.colour, [0.05, 0.045, 0.04], v.burnt * 0.9);
    let near = camera.focal / distance * length > 22.0;
    let glass = brush.glass(v3(0.0, 0.2, 0.0));
    match v.body {
        Body::Car => {
            let belt = high * 0.60;
            let hull = [
                (-l, 0.28, Paint),
                (-l, belt * 0.95, Paint),
                (-l * 0.8, belt, Paint),
                (l * 0.35, belt, Paint),
                (l * 0.95, belt * 0.80, Paint),
                (l, 0.28, Open),
            ];
            brush.extrude(canvas, &pose, &hull, (w, w * 0.96), colour);
            if near {
                brush.wheel(canvas, &pose, -l * 0.62, w, 0.32);
                brush.wheel(canvas, &pose, l * 0.64, w, 0.32);
            }
            let cabin =
                [(-l * 0.88, belt, Glass), (-l * 0.62, high, Paint), (l * 0.10, high, Glass), (l * 0.48, belt, Open)];
            brush.extrude(canvas, &pose, &cabin, (w * 0.95, w * 0.76), colour);
            let (top, bottom) = (high - 0.09, belt + 0.04);
            let lean = |sign: f32, u: f32| sign * (w * 0.955 - w * 0.19 * (u - belt) / (high - belt));
            for sign in [-1.0, 1.0] {
                for panel in [
                    [(-l * 0.76, bottom), (-l * 0.58, top), (-l * 0.24, top), (-l * 0.22, bottom)],
                    [(-l * 0.17, bottom), (-l * 0.19, top), (l * 0.08, top), (l * 0.38, bottom)],
                ] {
                    let points = panel.map(|(f, u)| pose.point(f, lean(sign, u), u));
                    brush.face(canvas, &points, pose.right.times(sign), glass);
                }
            }
        }
        Body::Van => {
            let hull = [
                (-l, 0.35, Glass),
                (-l, high, Paint),
                (l * 0.42, high, Glass),
                (l * 0.78, high * 0.56, Paint),
                (l, high * 0.46, Paint),
                (l, 0.35, Open),
            ];
            brush.extrude(canvas, &pose, &hull, (w, w * 0.93), colour);
            let (a, b) = (high * 0.57, high * 0.86);
            brush.panel(canvas, &pose, w * 0.96, [(l * 0.18, a), (l * 0.18, b), (l * 0.46, b), (l * 0.68, a)], glass);
            for f in [-l * 0.64, l * 0.66] {
                brush.wheel(canvas, &pose, f, w, 0.35);
            }
        }
        Body::Bus => {
            let hull = [
                (-l, 0.35, Glass),
                (-l, high, Paint),
                (l * 0.97, high, Glass),
                (l, high * 0.40, Paint),
                (l, 0.35, Open),
            ];
            brush.extrude(canvas, &pose, &hull, (w, w), colour);
            for k in 0..7 {
                let f = -l * 0.93 + k as f32 * l * 0.268;
                let (a, b) = (high * 0.46, high * 0.84);
                brush.panel(canvas, &pose, w, [(f, a), (f, b), (f + l * 0.235, b), (f + l * 0.235, a)], glass);
            }
            for f in [-l * 0.55, l * 0.62] {
                brush.wheel(canvas, &pose, f, w, 0.48);
            }
        }
        Body::Lorry | Body::Flatbed => {
            let cab_end = l - 2.0;
            let cab_high = if v.body == Body::Flatbed { 2.5 } else { high * 0.80 };
            let cab = [
                (cab_end, 0.45, Paint),
                (cab_end, cab_high, Paint),
                (l - 0.25, cab_high, Glass),
                (l, cab_high * 0.52, Paint),
                (l, 0.45, Open),
            ];
            let paint_cab = |canvas: &mut Canvas| {
                brush.extrude(canvas, &pose, &cab, (w, w * 0.95), colour);
                let (a, b) = (cab_high * 0.55, cab_high * 0.86);
                let window = [(cab_end + 0.6, a), (cab_end + 0.6, b), (l - 0.35, b), (l - 0.2, a)];
                brush.panel(canvas, &pose, w * 0.98, window, glass);
                brush.wheel(canvas, &pose, l - 1.1, w, 0.48);
            };
            let paint_back = |canvas: &mut Canvas| {
                let pale = mix(colour, [0.85, 0.85, 0.83], if v.id.is_multiple_of(3) { 0.1 } else { 0.75 });
                let long = length - 2.15;
                let middle = -l + long * 0.5;
                for k in [-0.36, -0.20, 0.24] {
                    brush.wheel(canvas, &pose, middle + long * k, w, 0.48);
                }
                let back = Pose { at: pose.point(middle, 0.0, 0.0), ..pose };
                if v.body == Body::Lorry {
                    brush.cuboid(canvas, &back, [long, wide, high - 0.95], 0.95, pale);
                } else {
                    brush.cuboid(canvas, &back, [long, wide, 0.55], 0.75, mix(colour, [0.3; 3], 0.5));
                    for k in 0..v.load {
                        // The far crates first.
                        let order = if back.forward.dot(camera.at.minus(back.at)) > 0.0 { k } else { v.load - 1 - k };
                        let f = -long * 0.5 + 0.7 + (order / 2) as f32 * 1.25;
                        let r = if order % 2 == 0 { -0.55 } else { 0.55 };
                        let crate_at = Pose { at: back.point(f, r, 0.0), ..back };
                        let tint = [[0.66, 0.48, 0.28], [0.85, 0.82, 0.74], [0.16, 0.32, 0.62]][(order % 3) as usize];
                        brush.cuboid(canvas, &crate_at, [1.1, 1.0, 0.9], 1.3, tint);
                    }
                }
            };
            if pose.forward.dot(camera.at.minus(pose.at)) > 0.0 {
                paint_back(canvas);
                paint_cab(canvas);
            } else {
                paint_cab(canvas);
                paint_back(canvas);
            }
        }
        Body::Motorcycle => {
            brush.cuboid(canvas, &pose, [1.9, 0.28, 0.55], 0.35, colour);
            brush.wheel(canvas, &pose, -0.7, 0.06, 0.32);
            brush.wheel(canvas, &pose, 0.7, 0.06, 0.32);
            let rider = [(-0.45, 0.8, Paint), (-0.25, 1.42, Paint), (0.1, 1.42, Paint), (0.25, 0.8, Open)];
            brush.extrude(canvas, &pose, &rider, (0.26, 0.22), mix(colour, [0.1, 0.1, 0.12], 0.7));
            let head = Pose { at: pose.point(0.05, 0.0, 0.0), ..pose };
            brush.cuboid(canvas, &head, [0.28, 0.26, 0.28], 1.40, [0.2, 0.2, 0.22]);
        }
    }
    if v.doors && v.body != Body::Motorcycle {
        for sign in [-1.0, 1.0] {
            let hinge = l * 0.30;
            let points = [(0.0, 0.35), (0.0, high * 0.85), (0.95, high * 0.62), (0.95, 0.35)]
                .map(|(out, u)| pose.point(hinge + out * 0.35, sign * (w + out), u));
            for side in [-1.0, 1.0] {
                brush.face(canvas, &points, pose.forward.times(side), colour);
            }
        }
    }
    if near {
        lamps(canvas, &brush, &pose, v);
    }
}

/// Paint the lamps as surfaces: head lamps, tail lamps and the plate.
fn lamps(canvas: &mut Canvas, brush: &Brush<'_>, pose: &Pose, v: &Vehicle) {
    let (l, w) = (v.size[0] * 0.5 + 0.02, v.size[1] * 0.5);
    let u = lamp_height(v);
    let facing = pose.forward.dot(brush.camera.at.minus(pose.at)) > 0.0;
    let (f, colour) = if facing {
        (l, [0.95, 0.95, 0.9])
    } else if v.braking {
        (-l, [1.0, 0.12, 0.08])
    } else {
        (-l, [0.55, 0.05, 0.05])
    };
    let quad = |r0: f32, r1: f32, u0: f32, u1: f32| {
        [pose.point(f, r0, u0), pose.point(f, r0, u1), pose.point(f, r1, u1), pose.point(f, r1, u0)]
    };
    let light = mix(brush.weather.ambient, [1.0; 3], if v.braking || brush.weather.headlights { 0.9 } else { 0.3 });
    let lamp = brush.weather.through(lit(colour, light), brush.distance);
    for sign in [-1.0, 1.0] {
        let points = quad(sign * w * 0.95, sign * w * 0.58, u - 0.09, u + 0.09);
        canvas.face(brush.camera, &points, lamp, brush.alpha, false);
    }
    let plate = lit(if facing { [0.9, 0.9, 0.9] } else { [0.9, 0.8, 0.3] }, brush.weather.ambient);
    canvas.face(brush.camera, &quad(-0.26, 0.26, 0.42, 0.54), plate, brush.alpha * 0.9, false);
}

/// How high the lamps are.
pub fn lamp_height(v: &Vehicle) -> f32 {
    match v.body {
        Body::Car => 0.68,
        _ => 0.85,
    }
}
