//! Vehicles in, their light painted: pools on the road before head lamps, glows of lamps that face the lens and their
//! streaks on a wet road, hazard lights, flames.

use super::brush::Pose;
use super::canvas::Canvas;
use super::vehicle::lamp_height;
use crate::source::sim::camera::{Camera, V3};
use crate::source::sim::spec::Light;
use crate::source::sim::vehicle::{Body, Vehicle};
use crate::source::sim::weather::{Rgb, Weather};
use crate::source::sim::world::Road;

const WARM: Rgb = [1.0, 0.93, 0.78];
const RED: Rgb = [1.0, 0.10, 0.06];
const AMBER: Rgb = [1.0, 0.56, 0.06];

/// Paint the pool of light before a vehicle on the road.
pub fn pool(canvas: &mut Canvas, camera: &Camera, weather: &Weather, road: &Road, v: &Vehicle) {
    if !weather.headlights || weather.light == Light::Day {
        return;
    }
    let pose = Pose::new(road, v.s, v.d, v.heading);
    let l = v.size[0] * 0.5;
    let forward = pose.point(1.0, 0.0, 0.0).minus(pose.point(0.0, 0.0, 0.0));
    let strength = if weather.light == Light::Night { 0.26 } else { 0.10 } * v.opacity;
    // A row of soft spots that grow and fade ahead; each as flat as the ground there looks.
    for (ahead, radius, part) in
        [(2.2, 1.5, 0.8), (4.5, 2.1, 1.0), (7.5, 2.9, 0.8), (11.5, 3.8, 0.5), (16.5, 4.6, 0.28)]
    {
        let at = pose.point(l + ahead, 0.0, 0.0);
        let Some((x, y, scale)) = camera.project(at) else {
            continue;
        };
        let look = at.minus(camera.at).unit();
        let flat = (-look.y).clamp(0.03, 1.0);
        let (sin, cos) = (forward.dot(look), (1.0 - forward.dot(look).powi(2)).max(0.0).sqrt());
        let (across, deep) = (radius * (1.0 + 0.5 * cos), radius * (0.8 + 0.7 * sin.abs()));
        canvas.glow((x, y), (across * scale, deep * flat * scale), WARM, strength * part, true);
    }
    if v.braking {
        let points = [(-0.2, -0.9), (-3.0, -1.3), (-3.0, 1.3), (-0.2, 0.9)].map(|(f, r)| pose.point(f - l, r, 0.0));
        canvas.face(camera, &points, RED.map(|c| c * strength * 0.3), 1.0, true);
    }
}

/// Paint the glows of a vehicle's lamps; `t` is the time in seconds, for what blinks.
pub fn glows(canvas: &mut Canvas, camera: &Camera, weather: &Weather, road: &Road, v: &Vehicle, t: f32) {
    let pose = Pose::new(road, v.s, v.d, v.heading);
    let (l, w) = (v.size[0] * 0.5, v.size[1] * 0.5);
    let u = lamp_height(v);
    let to_lens = camera.at.minus(pose.point(0.0, 0.0, u)).unit();
    let forward = pose.point(1.0, 0.0, 0.0).minus(pose.point(0.0, 0.0, 0.0));
    let ahead = forward.dot(to_lens);
    let dark = match weather.light {
        Light::Day => 0.0,
        Light::Dusk => 0.6,
        Light::Night => 1.0,
    };
    let mut spot = |p: V3, colour: Rgb, metres: f32, strength: f32, streak: bool| {
        let Some((x, y, scale)) = camera.project(p) else {
            return;
        };
        let r = (metres * scale).max(1.3 + 1.2 * dark);
        canvas.glow((x, y), (r, r), colour, strength * v.opacity, true);
        canvas.glow((x, y), (r * 0.35, r * 0.35), [1.0, 1.0, 0.96], strength * 0.8 * v.opacity, true);
        if streak && weather.rain {
            let long = scale * 3.2;
            canvas.glow((x, y + scale * u + long * 0.55), (r * 0.6, long), colour, strength * 0.45 * v.opacity, true);
        }
    };
    let single = v.body == Body::Motorcycle;
    for sign in if single { &[0.0][..] } else { &[-1.0, 1.0][..] } {
        let r = sign * w * 0.78;
        if ahead > 0.05 && (weather.headlights || v.flashing) {
            let flash = if v.flashing && (t * 3.0).fract() < 0.5 { 0.9 } else { 0.0 };
            let strength = (0.30 + 0.45 * dark + flash) * (0.35 + 0.65 * ahead);
            spot(pose.point(l, r, u), WARM, 0.30 + 0.35 * dark + 0.3 * flash, strength, true);
        }
        if ahead < -0.05 && (v.braking || dark > 0.0) {
            let strength = if v.braking { 0.75 + 0.2 * dark } else { 0.45 * dark };
            spot(pose.point(-l, r, u + 0.08), RED, 0.22 + 0.22 * dark, strength, true);
        }
    }
    let blinks = (t * 1.5 + v.id as f32 * 0.37).fract() < 0.55;
    if v.hazards && blinks {
        for (f, r) in [(l, -w), (l, w), (-l, -w), (-l, w)] {
            // A lamp on the far side is hidden by the body.
            let out = pose.point(f, r, u).minus(pose.point(0.0, 0.0, u));
            if out.dot(to_lens) > -0.6 {
                spot(pose.point(f * 1.01, r * 1.02, u + 0.05), AMBER, 0.42, 0.95, true);
            }
        }
    }
}

/// Paint the flames of a burning vehicle: tongues that change with each tick.
pub fn flames(canvas: &mut Canvas, camera: &Camera, weather: &Weather, road: &Road, v: &Vehicle, tick: u64) {
    let strength = v.burnt * if v.opacity < 1.0 { 0.0 } else { 1.0 };
    if strength <= 0.02 {
        return;
    }
    let pose = Pose::new(road, v.s, v.d, v.heading);
    let Some((x, y, scale)) = camera.project(pose.point(0.0, 0.0, 0.1)) else {
        return;
    };
    let flicker = |k: u64, slow: u64| {
        let h = (k * 7919 + (tick + k * 3) / slow * 104_729).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (h >> 40) as f32 / 16_777_216.0
    };
    let night = if weather.light == Light::Day { 0.16 } else { 0.42 };
    let wide = scale * (5.0 + flicker(99, 2));
    canvas.glow((x, y), (wide * 1.5, wide * 0.55), [1.0, 0.45, 0.10], night * strength, true);
    for k in 0..22_u64 {
        let f = (flicker(k, 100_000) - 0.45) * v.size[0] * 0.8;
        let r = (flicker(k + 50, 100_000) - 0.5) * v.size[1] * 0.8;
        let high = (0.5 + 1.5 * flicker(k, 3)) * strength;
        let Some((x, y, scale)) = camera.project(pose.point(f, r, v.size[2] * 0.55 + high * 0.5)) else {
            continue;
        };
        let lean = (flicker(k + 7, 4) - 0.5) * 0.3 * scale;
        let (rx, ry) = (scale * (0.28 + 0.22 * flicker(k + 20, 2)), scale * high * 0.8);
        canvas.glow((x + lean, y), (rx * 1.3, ry * 1.1), [1.0, 0.34, 0.03], 0.85, false);
        canvas.glow((x + lean * 0.5, y + ry * 0.25), (rx * 0.7, ry * 0.65), [1.0, 0.86, 0.35], 0.8, true);
    }
}
