//! The seeded clip that every extractor is proved on: a seed and a clip contract come in, pixels go out, the same on
//! every machine for ever (integers only). A manifest then needs to carry a seed and one row instead of pixels.

use crate::contract::ClipContract;

/// The pixels of the golden clip for `seed`: `[ticks, height, width, 3]`, u8 RGB, as an extractor graph takes them.
///
/// It shows what an extractor looks for: smooth shading, a bright block that moves from tick to tick, and a little noise.
pub fn clip(seed: u64, contract: &ClipContract) -> Vec<u8> {
    let (width, height) = (contract.width.max(1), contract.height.max(1));
    let mut noise = SplitMix(seed);
    let tint = noise.next();
    let (x0, y0) = ((tint >> 8) as u32 % width, (tint >> 40) as u32 % height);
    let (block_w, block_h) = ((width / 4).max(1), (height / 6).max(1));
    let mut pixels = Vec::with_capacity(contract.clip_bytes());
    for &tick in &contract.ticks {
        // The block crosses a third of the view in 16 ticks, and enters again on the left.
        let left = (x0 + tick * width / 48) % width;
        for y in 0..height {
            for x in 0..width {
                let inside = (x + width - left) % width < block_w && (y + height - y0) % height < block_h;
                let grain = noise.next();
                for channel in 0..3 {
                    let shade = match channel {
                        0 => x * 160 / width,
                        1 => y * 160 / height,
                        _ => (x + y) * 80 / (width + height) + 40,
                    };
                    let block = if inside { 70 } else { 0 };
                    let value =
                        shade + block + ((grain >> (channel * 8)) & 15) as u32 + ((tint >> (channel * 2)) & 3) as u32;
                    pixels.push(value.min(255) as u8);
                }
            }
        }
    }
    pixels
}

/// Sebastiano Vigna's splitmix64: a generator that is a few lines long and will never change under us.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn contract() -> ClipContract {
        ClipContract {
            width: 40,
            height: 24,
            rate_hz: 25,
            clip_ticks: 16,
            ticks: vec![0, 5, 10, 15],
            extractor_sha256: "0".repeat(64),
        }
    }

    #[test]
    fn the_clip_never_changes() {
        let pixels = clip(7, &contract());
        assert_eq!(pixels.len(), contract().clip_bytes());
        insta::assert_snapshot!(hex::encode(Sha256::digest(&pixels)), @"f1906a63f1d8d51954a8b34545fb5cc89fefd719d74a03a996fde134f0561293");
        assert_ne!(pixels, clip(8, &contract()));
    }

    #[test]
    fn it_moves() {
        let pixels = clip(7, &contract());
        let frame = pixels.len() / 4;
        let moved = pixels[..frame].iter().zip(&pixels[3 * frame..]).filter(|(a, b)| a.abs_diff(**b) > 40).count();
        assert!(moved > frame / 100, "only {moved} of {frame} values moved");
    }
}
