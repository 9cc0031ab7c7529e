//! Vector width, chosen when the program runs: AVX-512, AVX2, NEON, or one lane at a time.
//!
//! Flows in: a kernel written once over [`pulp::Simd`]. Flows out: that kernel, compiled for the widest
//! instruction set that this CPU has. Beside it [`AlignedVec`], memory that starts on a cache line.

use pulp::WithSimd;

/// Floats in a cache line; buffers start on such a boundary, so that a full vector never straddles two lines.
const LINE: usize = 16;

/// Run `kernel` with the widest vectors of this CPU.
#[inline]
pub fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        use pulp::{
            Simd,
            x86::{V3, V4},
        };
        if let Some(simd) = V4::try_new() {
            return Simd::vectorize(simd, kernel);
        }
        if let Some(simd) = V3::try_new() {
            return Simd::vectorize(simd, kernel);
        }
        kernel.with_simd(pulp::Scalar)
    }
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::new().dispatch(kernel)
}

/// How many floats one vector holds on this CPU.
pub fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    dispatch(Lanes)
}

/// Floats of a fixed number, zero at first, starting on a cache line.
#[derive(Debug, Default)]
pub struct AlignedVec {
    floats: Vec<f32>,
    start: usize,
    len: usize,
}

impl AlignedVec {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let floats = vec![0.0; len + LINE - 1];
        let start = floats.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
        Self { floats, start, len }
    }
}

impl std::ops::Deref for AlignedVec {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.floats[self.start..self.start + self.len]
    }
}

impl std::ops::DerefMut for AlignedVec {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.start..self.start + self.len]
    }
}
