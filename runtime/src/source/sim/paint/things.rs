//! People, things on the road and smoke in; their pictures painted.

use super::brush::{Brush, Pose};
use super::canvas::Canvas;
use crate::source::sim::camera::{Camera, V3, v3};
use crate::source::sim::scene::{Person, Puff, Thing};
use crate::source::sim::weather::{Rgb, Weather, lit};
use crate::source::sim::world::Road;

/// Paint a person: a figure that faces the lens, its legs in stride.
pub fn person(canvas: &mut Canvas, camera: &Camera, weather: &Weather, road: &Road, person: &Person) {
    let at = road.point(person.s, person.d, 0.0);
    let (Some(foot), Some(head)) = (camera.project(at), camera.project(at.plus(v3(0.0, person.height, 0.0)))) else {
        return;
    };
    let h = foot.1 - head.1;
    let light = weather.falling(at, v3(0.0, 0.3, -0.9));
    let shade = |c: Rgb| weather.through(lit(c, light), camera.focal / foot.2);
    let alpha = person.opacity.clamp(0.0, 1.0);
    canvas.glow((foot.0, foot.1), (h * 0.24, h * 0.09), [0.01, 0.01, 0.02], 0.75 * alpha, false);
    if weather.sunlight[0] > 0.04 {
        let reach = (person.height / weather.sun.y).min(4.0);
        let tip = at.plus(v3(-weather.sun.x * reach, 0.0, -weather.sun.z * reach));
        let aside = v3(weather.sun.z, 0.0, -weather.sun.x).unit().times(0.2);
        let strip = [at.minus(aside), tip.minus(aside), tip.plus(aside), at.plus(aside)];
        canvas.face(camera, &strip, [0.02, 0.02, 0.05], 0.3 * alpha, false);
    }
    let point = |across: f32, up: f32| (foot.0 + across * h + (head.0 - foot.0) * up, foot.1 - up * h);
    let swing = person.stride.sin() * 0.10;
    let [jacket, trousers] = person.colours.map(shade);
    for (hip, step) in [(-0.045, swing), (0.045, -swing)] {
        let leg = [
            point(hip - 0.05, 0.5),
            point(hip + 0.05, 0.5),
            point(hip + step + 0.04, 0.0),
            point(hip + step - 0.04, 0.0),
        ];
        canvas.poly(&leg, trousers, alpha, false);
    }
    for (side, step) in [(-1.0, -swing), (1.0, swing)] {
        let hand = if person.waving {
            point(side * 0.26, 0.98 + 0.08 * (person.stride * 3.0).sin())
        } else {
            point(side * 0.15 + step, 0.45)
        };
        let (a, b) = (point(side * 0.10, 0.81), point(side * 0.15, 0.76));
        canvas.poly(&[a, b, (hand.0 + h * 0.02, hand.1), (hand.0 - h * 0.02, hand.1)], jacket, alpha, false);
    }
    let torso = [
        point(-0.12, 0.80),
        point(-0.06, 0.85),
        point(0.06, 0.85),
        point(0.12, 0.80),
        point(0.09, 0.46),
        point(-0.09, 0.46),
    ];
    canvas.poly(&torso, jacket, alpha, false);
    let mut face = [(0.0, 0.0); 8];
    for (i, p) in face.iter_mut().enumerate() {
        let (sin, cos) = (i as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
        *p = point(0.055 * cos, 0.93 + 0.068 * sin);
    }
    canvas.poly(&face, shade([0.62, 0.46, 0.38]), alpha, false);
    canvas.poly(&face[..5], shade([0.16, 0.12, 0.10]), alpha * 0.8, false);
}

/// Paint a box, a sack, a shard.
pub fn thing(canvas: &mut Canvas, camera: &Camera, weather: &Weather, road: &Road, thing: &Thing) {
    let pose = Pose::new(road, thing.at[0], thing.at[1], thing.yaw.0);
    let distance = camera.view(pose.point(0.0, 0.0, 0.0)).z.max(0.1);
    let brush = Brush { camera, weather, alpha: thing.opacity, distance };
    let lift = thing.at[2] - thing.size[2] * 0.5;
    let (l, w) = (thing.size[0] * 0.55, thing.size[1] * 0.55);
    let dark = [(-l, -w), (-l, w), (l, w), (l, -w)].map(|(f, r)| pose.point(f, r, 0.0));
    canvas.face(camera, &dark, [0.01, 0.01, 0.02], 0.5 * thing.opacity, false);
    brush.cuboid(canvas, &pose, thing.size, lift.max(0.0), thing.colour);
}

/// Paint a ball of smoke.
pub fn puff(canvas: &mut Canvas, camera: &Camera, weather: &Weather, puff: &Puff) {
    let Some((x, y, scale)) = camera.project(puff.at) else {
        return;
    };
    let life = puff.age.0 / puff.age.1;
    let fade = (1.0 - life) * (puff.age.0 * 4.0).min(1.0);
    let light = weather.falling(V3 { y: 0.0, ..puff.at }, v3(0.0, 1.0, 0.0));
    let grey = lit([puff.grey; 3], light.map(|c| c.clamp(0.10, 1.0)));
    let r = puff.radius.0 * scale * 1.25;
    canvas.glow((x, y), (r, r), grey, puff.density * fade * 1.5, false);
}
