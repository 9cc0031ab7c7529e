//! Points of the world in, points of the picture out: a pinhole camera on a pole.
//!
//! The world has x across the road (to the right, seen along z), y up and z along the road, in metres; the camera
//! stands over z = 0. In camera space x is right, y is down and z is depth. Points behind the lens are refused.

/// A point or direction, metres.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct V3 {
    /// Across.
    pub x: f32,
    /// Up (down in camera space).
    pub y: f32,
    /// Along.
    pub z: f32,
}

/// The point `(x, y, z)`.
pub fn v3(x: f32, y: f32, z: f32) -> V3 {
    V3 { x, y, z }
}

impl V3 {
    /// The sum.
    #[must_use]
    pub fn plus(self, o: Self) -> Self {
        v3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
    /// The difference.
    #[must_use]
    pub fn minus(self, o: Self) -> Self {
        v3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
    /// Scaled by `k`.
    #[must_use]
    pub fn times(self, k: f32) -> Self {
        v3(self.x * k, self.y * k, self.z * k)
    }
    /// The inner product.
    pub fn dot(self, o: Self) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }
    /// The length.
    pub fn norm(self) -> f32 {
        self.dot(self).sqrt()
    }
    /// Of length one.
    #[must_use]
    pub fn unit(self) -> Self {
        self.times(1.0 / self.norm().max(1e-9))
    }
    /// The way from `self` to `o`, `t` of it gone.
    #[must_use]
    pub fn lerp(self, o: Self, t: f32) -> Self {
        self.plus(o.minus(self).times(t))
    }
}

/// Nothing nearer than this is drawn, metres.
pub const NEAR: f32 = 0.8;

/// A pinhole camera.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Where the lens is.
    pub at: V3,
    right: V3,
    down: V3,
    forward: V3,
    /// Focal length in pixels.
    pub focal: f32,
    /// Picture width in pixels.
    pub width: f32,
    /// Picture height in pixels.
    pub height: f32,
    /// Shake: the picture's displacement in pixels.
    pub shake: (f32, f32),
}

impl Camera {
    /// A camera at `at`, turned right by `yaw`, down by `pitch` and clockwise by `roll` (radians).
    pub fn new(at: V3, yaw: f32, pitch: f32, roll: f32, focal: f32, size: (u32, u32)) -> Self {
        let (sy, cy) = yaw.sin_cos();
        let (sp, cp) = pitch.sin_cos();
        let (sr, cr) = roll.sin_cos();
        let forward = v3(sy * cp, -sp, cy * cp);
        let right = v3(cy, 0.0, -sy);
        let down = v3(-sy * sp, -cp, -cy * sp);
        Self {
            at,
            right: right.times(cr).plus(down.times(sr)),
            down: down.times(cr).minus(right.times(sr)),
            forward,
            focal,
            width: size.0 as f32,
            height: size.1 as f32,
            shake: (0.0, 0.0),
        }
    }

    /// A world point in camera space.
    pub fn view(&self, p: V3) -> V3 {
        let q = p.minus(self.at);
        v3(q.dot(self.right), q.dot(self.down), q.dot(self.forward))
    }

    /// A point of camera space (before the lens) in the picture.
    pub fn picture(&self, q: V3) -> (f32, f32) {
        let k = self.focal / q.z;
        (q.x * k + self.width * 0.5 + self.shake.0, q.y * k + self.height * 0.5 + self.shake.1)
    }

    /// A world point in the picture, with pixels per metre there; `None` behind the lens.
    pub fn project(&self, p: V3) -> Option<(f32, f32, f32)> {
        let q = self.view(p);
        if q.z < NEAR {
            return None;
        }
        let (x, y) = self.picture(q);
        Some((x, y, self.focal / q.z))
    }

    /// The direction in the world in which the picture's point lies; shake is left out.
    pub fn ray(&self, x: f32, y: f32) -> V3 {
        self.forward
            .plus(self.right.times((x - self.width * 0.5) / self.focal))
            .plus(self.down.times((y - self.height * 0.5) / self.focal))
    }

    /// Pixels of this picture for one of the usual size: what is given in pixels there times this is as large a share here.
    pub fn magnification(&self) -> f32 {
        self.width / super::SIZE.0 as f32
    }

    /// Whether the picture's point lies inside the picture, `margin` pixels from its border.
    pub fn inside(&self, x: f32, y: f32, margin: f32) -> bool {
        (margin..self.width - margin).contains(&x) && (margin..self.height - margin).contains(&y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ray_goes_through_the_point_it_was_made_for() {
        let camera = Camera::new(v3(8.0, 7.0, 0.0), -0.3, 0.2, 0.02, 600.0, (640, 360));
        let p = v3(-2.0, 0.0, 30.0);
        let (x, y, scale) = camera.project(p).unwrap();
        assert!(camera.inside(x, y, 0.0));
        let ray = camera.ray(x, y);
        let ground = camera.at.plus(ray.times(-camera.at.y / ray.y));
        assert!(ground.minus(p).norm() < 1e-2, "{ground:?}");
        assert!((scale - 600.0 / camera.view(p).z).abs() < 1e-3);
        assert!(camera.project(v3(0.0, 1.0, -5.0)).is_none());
    }
}
