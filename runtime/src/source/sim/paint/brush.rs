//! Solid shapes in, lit faces painted: boxes and side profiles drawn out to a width, narrower towards the roof.

use super::canvas::Canvas;
use crate::source::sim::camera::{Camera, V3, v3};
use crate::source::sim::weather::{Rgb, Weather, lit, mix};
use crate::source::sim::world::Road;

/// What an edge of a profile is made of.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Skin {
    /// Paint.
    Paint,
    /// A window in a painted frame.
    Glass,
    /// Nothing: it is never seen.
    None,
}
pub(super) use Skin::{Glass, None as Open, Paint};

/// Where a vehicle's own directions lie in the world.
pub struct Pose {
    pub(super) at: V3,
    pub(super) forward: V3,
    pub(super) right: V3,
}

impl Pose {
    /// The pose of something at `s`, `d`, turned by `heading` from the road.
    pub fn new(road: &Road, s: f32, d: f32, heading: f32) -> Self {
        let (sin, cos) = (heading + road.heading(s)).sin_cos();
        Self { at: road.point(s, d, 0.0), forward: v3(sin, 0.0, cos), right: v3(cos, 0.0, -sin) }
    }

    /// The world point `f` forward, `r` to the right, `u` up.
    pub fn point(&self, f: f32, r: f32, u: f32) -> V3 {
        v3(
            self.at.x + self.forward.x * f + self.right.x * r,
            self.at.y + u,
            self.at.z + self.forward.z * f + self.right.z * r,
        )
    }
}

/// What painting needs to know.
pub struct Brush<'a> {
    /// The view.
    pub camera: &'a Camera,
    /// The light.
    pub weather: &'a Weather,
    /// How much shows.
    pub alpha: f32,
    /// Distance to the lens, metres.
    pub distance: f32,
}

impl Brush<'_> {
    /// A lit face of the world, seen from its outer side only.
    pub(super) fn face(&self, canvas: &mut Canvas, points: &[V3], normal: V3, colour: Rgb) -> bool {
        if normal.dot(points[0].minus(self.camera.at)) >= 0.0 {
            return false;
        }
        let light = self.weather.falling(points[0], normal);
        let colour = self.weather.through(lit(colour, light), self.distance);
        canvas.face(self.camera, points, colour, self.alpha, false);
        true
    }

    /// A box of `size` (length, width, height) standing at `pose`, `lift` above the ground.
    pub fn cuboid(&self, canvas: &mut Canvas, pose: &Pose, size: [f32; 3], lift: f32, colour: Rgb) {
        let (l, w) = (size[0] * 0.5, size[1] * 0.5);
        let profile = [(-l, lift, Paint), (-l, lift + size[2], Paint), (l, lift + size[2], Paint), (l, lift, Open)];
        self.extrude(canvas, pose, &profile, (w, w), colour);
    }

    /// Draw out a convex profile of (forward, up, skin of the edge that begins here), listed from the rear bottom up
    /// and round; `half` is half the width at the bottom and at the top.
    pub(super) fn extrude(
        &self,
        canvas: &mut Canvas,
        pose: &Pose,
        profile: &[(f32, f32, Skin)],
        half: (f32, f32),
        colour: Rgb,
    ) {
        let low = profile.iter().map(|p| p.1).fold(f32::MAX, f32::min);
        let high = profile.iter().map(|p| p.1).fold(f32::MIN, f32::max);
        let width = |u: f32| half.0 + (half.1 - half.0) * (u - low) / (high - low).max(1e-3);
        let n = profile.len();
        let mut side = [V3::default(); 10];
        for sign in [-1.0, 1.0] {
            for (p, at) in profile.iter().zip(&mut side) {
                *at = pose.point(p.0, sign * width(p.1), p.1);
            }
            self.face(canvas, &side[..n], pose.right.times(sign), colour);
        }
        for i in 0..n {
            let (a, b) = (profile[i], profile[(i + 1) % n]);
            if a.2 == Open {
                continue;
            }
            // The profile runs clockwise seen from the right: outward is to the left of the way.
            let normal = pose.forward.times(-(b.1 - a.1)).plus(v3(0.0, b.0 - a.0, 0.0)).unit();
            let quad = [
                pose.point(a.0, -width(a.1), a.1),
                pose.point(b.0, -width(b.1), b.1),
                pose.point(b.0, width(b.1), b.1),
                pose.point(a.0, width(a.1), a.1),
            ];
            let seen = self.face(canvas, &quad, normal, colour);
            if seen && a.2 == Glass {
                let middle = quad.iter().fold(V3::default(), |sum, p| sum.plus(p.times(0.25)));
                self.face(canvas, &quad.map(|p| p.lerp(middle, 0.13)), normal, self.glass(normal));
            }
        }
    }

    /// The colour of a window that faces along `normal`.
    pub(super) fn glass(&self, normal: V3) -> Rgb {
        mix([0.07, 0.08, 0.10], self.weather.sky[0], 0.12 + 0.22 * normal.y.max(0.0))
    }

    /// A panel on the side of a vehicle, on the side that is seen.
    pub(super) fn panel(&self, canvas: &mut Canvas, pose: &Pose, w: f32, corners: [(f32, f32); 4], colour: Rgb) {
        for sign in [-1.0, 1.0] {
            let points = corners.map(|(f, u)| pose.point(f, sign * (w + 0.01), u));
            self.face(canvas, &points, pose.right.times(sign), colour);
        }
    }

    /// A wheel on both sides at `f`.
    pub(super) fn wheel(&self, canvas: &mut Canvas, pose: &Pose, f: f32, w: f32, radius: f32) {
        for (r, colour) in [(radius, [0.05, 0.05, 0.055]), (radius * 0.55, [0.38, 0.38, 0.40])] {
            let mut rim = [(0.0, 0.0); 8];
            for (i, p) in rim.iter_mut().enumerate() {
                let (sin, cos) = (i as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
                *p = (f + r * cos, radius + r * sin);
            }
            for sign in [-1.0, 1.0] {
                let points = rim.map(|(f, u)| pose.point(f, sign * (w + 0.02), u));
                self.face(canvas, &points, pose.right.times(sign), colour);
            }
        }
    }
}
