//! JPEG pictures in, an AVI file of Motion JPEG out, which every player shows: one picture for each tick of a constant rate, and an index at the
//! end. A file that was cut anywhere, without its end, plays up to there.
//!
//! Written by the "AVI RIFF File Reference" of Microsoft's DirectShow documentation: a list `hdrl` of one video stream, a list `movi` of
//! chunks `00dc`, `idx1`. An empty chunk shows the picture before for one tick more.

use std::io::{self, Seek, SeekFrom, Write};

/// Where numbers stand that are known at the end only.
const RIFF_BYTES: u64 = 4;
const FRAMES: u64 = 48;
const BUFFER_BYTES: u64 = 60;
const LENGTH: u64 = 140;
const STREAM_BUFFER_BYTES: u64 = 144;
const MOVI_BYTES: u64 = 216;
/// Where the first chunk stands.
const FIRST: u32 = 224;
/// The longest file: sizes have 32 bits, and nobody wants longer ones.
pub const BYTES_MAX: u64 = 1 << 30;

/// A file that is being written.
pub struct Avi<W> {
    out: W,
    frames: u32,
    /// Of the file.
    bytes: u32,
    /// The longest picture.
    longest: u32,
    index: Vec<u8>,
}

impl<W: Write + Seek> Avi<W> {
    /// Begin a file of pictures of `size` pixels, `rate_hz` a second.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(mut out: W, (width, height): (u32, u32), rate_hz: u32) -> io::Result<Self> {
        let mut head = Vec::with_capacity(FIRST as usize);
        let mut put = |bytes: &[u8]| head.extend_from_slice(bytes);
        let number = |n: u32| n.to_le_bytes();
        put(b"RIFF\0\0\0\0AVI LIST");
        put(&number(192));
        put(b"hdrlavih");
        let has_index = 0x10;
        for n in [56, 1_000_000 / rate_hz.max(1), 0, 0, has_index, 0, 0, 1, 0, width, height, 0, 0, 0, 0] {
            put(&number(n));
        }
        put(b"LIST");
        put(&number(116));
        put(b"strlstrh");
        put(&number(56));
        put(b"vidsMJPG");
        let default_quality = u32::MAX;
        for n in [0, 0, 0, 1, rate_hz, 0, 0, 0, default_quality, 0] {
            put(&number(n));
        }
        let corners = [0, 0, width.min(0xffff) as u16, height.min(0xffff) as u16];
        corners.iter().for_each(|n| put(&n.to_le_bytes()));
        put(b"strf");
        for n in [40, 40, width, height] {
            put(&number(n));
        }
        put(&[1, 0, 24, 0]);
        put(b"MJPG");
        for n in [width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0] {
            put(&number(n));
        }
        put(b"LIST\0\0\0\0movi");
        out.write_all(&head)?;
        Ok(Self { out, frames: 0, bytes: FIRST, longest: 0, index: Vec::new() })
    }

    /// The picture of the next tick; an empty one is the one before.
    ///
    /// # Errors
    /// When it cannot be written, or the file would have more than [`BYTES_MAX`] bytes.
    pub fn put(&mut self, jpeg: &[u8]) -> io::Result<()> {
        let length = jpeg.len() as u32;
        let padding = jpeg.len() % 2;
        if u64::from(self.bytes) + jpeg.len() as u64 + self.index.len() as u64 > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a clip would be too long"));
        }
        self.out.write_all(b"00dc")?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(jpeg)?;
        self.out.write_all(&[0][..padding])?;
        let key = if jpeg.is_empty() { 0u32 } else { 0x10 };
        self.index.extend_from_slice(b"00dc");
        // Counted from the name of the list `movi`, which stands 4 bytes before the first chunk.
        for n in [key, self.bytes - FIRST + 4, length] {
            self.index.extend_from_slice(&n.to_le_bytes());
        }
        self.bytes += 8 + length + padding as u32;
        self.longest = self.longest.max(length);
        self.frames += 1;
        Ok(())
    }

    /// Ticks so far.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        u64::from(self.bytes) + self.index.len() as u64
    }

    /// Write the index, and what only now is known into the head.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        let index = self.index.len() as u32;
        self.out.write_all(b"idx1")?;
        self.out.write_all(&index.to_le_bytes())?;
        self.out.write_all(&self.index)?;
        for (at, n) in [
            (RIFF_BYTES, self.bytes + index),
            (FRAMES, self.frames),
            (BUFFER_BYTES, self.longest),
            (LENGTH, self.frames),
            (STREAM_BUFFER_BYTES, self.longest),
            (MOVI_BYTES, self.bytes - FIRST + 4),
        ] {
            self.out.seek(SeekFrom::Start(at))?;
            self.out.write_all(&n.to_le_bytes())?;
        }
        self.out.seek(SeekFrom::End(0))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::process::Command;

    use super::super::tests::jpeg;
    use super::*;

    fn file() -> Vec<u8> {
        let mut avi = Avi::begin(Cursor::new(Vec::new()), (32, 16), 5).unwrap();
        for n in 0..10u8 {
            // Two ticks without a picture.
            let picture = if n == 3 || n == 4 { Vec::new() } else { jpeg((32, 16), 20 * n) };
            avi.put(&picture).unwrap();
        }
        assert_eq!(avi.frames(), 10);
        let bytes = avi.bytes() + 8;
        let file = avi.finish().unwrap().into_inner();
        assert_eq!(file.len() as u64, bytes);
        file
    }

    fn number(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    #[test]
    fn lists_and_index_are_where_they_say() {
        let file = file();
        assert_eq!((&file[..4], number(&file, 4), &file[8..12]), (&b"RIFF"[..], file.len() - 8, &b"AVI "[..]));
        assert_eq!((&file[212..216], &file[220..224]), (&b"LIST"[..], &b"movi"[..]));
        let index = 220 + number(&file, 216);
        assert_eq!((&file[index..index + 4], number(&file, index + 4)), (&b"idx1"[..], 160));
        for n in 0..10 {
            let entry = index + 8 + 16 * n;
            let at = 220 + number(&file, entry + 8);
            assert_eq!((&file[at..at + 4], number(&file, at + 4)), (&b"00dc"[..], number(&file, entry + 12)), "{n}");
            assert!(number(&file, entry + 12) == 0 || file[at + 8..].starts_with(b"\xff\xd8"), "{n}");
        }
    }

    #[test]
    fn ffmpeg_plays_it_whole_and_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.avi");
        let probe = || {
            let mut command = Command::new("ffprobe");
            command.args(["-v", "error", "-count_frames", "-of", "csv=p=0"]);
            command.args(["-show_entries", "stream=codec_name,width,height,r_frame_rate,nb_read_frames"]).arg(&path);
            let told = command.output().ok().map(|told| String::from_utf8(told.stdout).unwrap().trim().to_owned());
            if told.is_none() {
                eprintln!("SKIPPED: no ffprobe; run `cargo xtask setup`");
            }
            told
        };
        let whole = file();
        std::fs::write(&path, &whole).unwrap();
        let Some(told) = probe() else { return };
        assert_eq!(told, "mjpeg,32,16,5/1,8");
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let told = probe().unwrap();
        assert!(told.starts_with("mjpeg,32,16,5/1,") && !told.ends_with(",0"), "{told}");
    }
}
