//! Raw frames out of ffmpeg's NUT stream: bytes in, `(presentation time, pixels)` out.
//!
//! NUT is the one plain container that ffmpeg writes raw video into, over a pipe, with the exact time of every frame
//! (`yuv4mpegpipe` loses times, Matroska rounds them to milliseconds). This reads what `ffmpeg -f nut` writes for a
//! single raw-video stream and refuses everything else: more streams, frames of another size than announced, headers
//! longer than [`HEADER_BYTES_MAX`]. Nothing here allocates per frame.
//!
//! Format: <https://ffmpeg.org/~michael/nut.txt>.

use std::io::{self, Read};

const FILE_ID: &[u8; 25] = b"nut/multimedia container\0";
const MAIN: u64 = 0x4E4D_7A56_1F5F_04AD;
const STREAM: u64 = 0x4E53_1140_5BF2_F9DB;
const SYNCPOINT: u64 = 0x4E4B_E4AD_EECA_4569;

/// No header that ffmpeg writes for one raw stream comes near this.
pub const HEADER_BYTES_MAX: u64 = 1 << 20;
/// The largest frame that is accepted: 8192 x 8192 in 4:2:0.
pub const FRAME_BYTES_MAX: u64 = 8192 * 8192 * 3 / 2;

const FLAG_CODED_PTS: u64 = 8;
const FLAG_STREAM_ID: u64 = 16;
const FLAG_SIZE_MSB: u64 = 32;
const FLAG_CHECKSUM: u64 = 64;
const FLAG_RESERVED: u64 = 128;
const FLAG_SIDE_DATA: u64 = 256;
const FLAG_HEADER_INDEX: u64 = 1024;
const FLAG_MATCH_TIME: u64 = 2048;
const FLAG_CODED: u64 = 4096;
const FLAG_INVALID: u64 = 8192;

/// What a frame's first byte stands for.
#[derive(Clone, Copy, Default)]
struct FrameCode {
    flags: u64,
    stream: u64,
    size_mul: u64,
    size_lsb: u64,
    pts_delta: i64,
    reserved: u64,
    header_index: u64,
}

/// Reads frames from a NUT stream that holds one raw-video stream.
pub struct NutReader<R> {
    input: R,
    codes: Box<[FrameCode; 256]>,
    /// Bytes that are left out at the start of small frames, by index; 0 is empty.
    elided: Vec<Vec<u8>>,
    time_bases: Vec<(u64, u64)>,
    time_base: (u64, u64),
    msb_pts_shift: u32,
    last_pts: i64,
    width: u32,
    height: u32,
    frame_bytes: usize,
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the NUT stream {what}"))
}

/// Bytes of one I420 picture; chroma planes of odd sizes are rounded up.
pub fn i420_bytes(width: u32, height: u32) -> u64 {
    let (w, h) = (u64::from(width), u64::from(height));
    w * h + 2 * w.div_ceil(2) * h.div_ceil(2)
}

impl<R: Read> NutReader<R> {
    /// Read the headers up to the first frame's sync point.
    ///
    /// # Errors
    /// `UnexpectedEof` when the stream ends before the headers do (ffmpeg decoded nothing); `InvalidData` when it is
    /// not one I420 stream.
    pub fn open(mut input: R) -> io::Result<Self> {
        let mut id = [0; FILE_ID.len()];
        input.read_exact(&mut id)?;
        if &id != FILE_ID {
            return Err(broken("does not begin with the NUT file id"));
        }
        let mut nut = Self {
            input,
            codes: Box::new([FrameCode::default(); 256]),
            elided: vec![Vec::new()],
            time_bases: Vec::new(),
            time_base: (1, 1),
            msb_pts_shift: 0,
            last_pts: 0,
            width: 0,
            height: 0,
            frame_bytes: 0,
        };
        // Packets until the first sync point, after which frames follow.
        loop {
            let mut first = [0; 1];
            nut.input.read_exact(&mut first)?;
            if nut.packet(first[0])? == SYNCPOINT {
                break;
            }
        }
        if nut.width == 0 || nut.time_bases.is_empty() {
            return Err(broken("has frames before its headers"));
        }
        Ok(nut)
    }

    /// Width and height in pixels, as announced.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Read the next frame's pixels into `data` (resized once, then reused) and return its presentation time in
    /// nanoseconds; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the stream is broken or ends inside a frame.
    pub fn next_frame(&mut self, data: &mut Vec<u8>) -> io::Result<Option<i64>> {
        let code = loop {
            let mut first = [0; 1];
            match self.input.read(&mut first) {
                Ok(0) => return Ok(None),
                Ok(_) if first[0] == b'N' => _ = self.packet(first[0])?,
                Ok(_) => break self.codes[usize::from(first[0])],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        };
        let mut flags = code.flags;
        if flags & FLAG_CODED != 0 {
            flags ^= self.varint()?;
        }
        if flags & FLAG_INVALID != 0 {
            return Err(broken("has an invalid frame code"));
        }
        let stream = if flags & FLAG_STREAM_ID != 0 { self.varint()? } else { code.stream };
        if stream != 0 {
            return Err(broken("holds more than one stream"));
        }
        self.last_pts = if flags & FLAG_CODED_PTS != 0 {
            let coded = self.varint()?;
            let base = 1u64 << self.msb_pts_shift;
            if coded < base {
                // Only the low bits were sent: the value nearest to the last one.
                let mask = (base - 1) as i64;
                let low = self.last_pts.wrapping_sub(mask / 2);
                ((coded as i64).wrapping_sub(low) & mask).wrapping_add(low)
            } else {
                (coded - base) as i64
            }
        } else {
            self.last_pts.wrapping_add(code.pts_delta)
        };
        let mut size = code.size_lsb;
        if flags & FLAG_SIZE_MSB != 0 {
            let msb = self.varint()?;
            size = msb
                .checked_mul(code.size_mul)
                .and_then(|s| s.checked_add(size))
                .ok_or_else(|| broken("claims a frame of absurd size"))?;
        }
        if flags & FLAG_MATCH_TIME != 0 {
            self.varint()?;
        }
        let mut header = code.header_index;
        if flags & FLAG_HEADER_INDEX != 0 {
            header = self.varint()?;
        }
        let reserved = if flags & FLAG_RESERVED != 0 { self.varint()? } else { code.reserved };
        if reserved > 256 {
            return Err(broken("has too many reserved fields"));
        }
        for _ in 0..reserved {
            self.varint()?;
        }
        if flags & FLAG_CHECKSUM != 0 {
            self.input.read_exact(&mut [0; 4])?;
        }
        if flags & FLAG_SIDE_DATA != 0 {
            return Err(broken("has side data, which raw video has not"));
        }
        if size != self.frame_bytes as u64 {
            return Err(broken(&format!(
                "has a frame of {size} bytes where {} x {} pixels take {}",
                self.width, self.height, self.frame_bytes
            )));
        }
        // Small frames may begin like a known header, which is then left out.
        let header = if size > 4096 { 0 } else { header };
        let elided = usize::try_from(header)
            .ok()
            .and_then(|i| self.elided.get(i))
            .filter(|e| e.len() <= self.frame_bytes)
            .ok_or_else(|| broken("names an unknown elided header"))?;
        data.resize(self.frame_bytes, 0);
        let (start, rest) = data.split_at_mut(elided.len());
        start.copy_from_slice(elided);
        self.input.read_exact(rest)?;
        let (num, denom) = self.time_base;
        let ns = i128::from(self.last_pts) * i128::from(num) * 1_000_000_000 / i128::from(denom);
        i64::try_from(ns).map(Some).map_err(|_| broken("has a time out of range"))
    }

    /// Read one packet whose first byte is `first`; headers are remembered, others skipped. Returns its start code.
    fn packet(&mut self, first: u8) -> io::Result<u64> {
        let mut code = [0; 8];
        code[0] = first;
        self.input.read_exact(&mut code[1..])?;
        let code = u64::from_be_bytes(code);
        if code >> 56 != u64::from(b'N') {
            return Err(broken("has a frame before its headers"));
        }
        let length = self.varint()?;
        if length > HEADER_BYTES_MAX {
            return Err(broken("has a header that is too long"));
        }
        if length > 4096 {
            self.input.read_exact(&mut [0; 4])?;
        }
        if code == SYNCPOINT {
            // Frequent: parsed where it stands, without a buffer.
            let mut counted = Counted { input: &mut self.input, left: length };
            let time = varint(&mut counted)?;
            let left = counted.left;
            io::copy(&mut (&mut self.input).take(left), &mut io::sink())?;
            let bases = self.time_bases.len() as u64;
            if bases == 0 {
                return Err(broken("has a sync point before its headers"));
            }
            let (num, denom) = self.time_bases[(time % bases) as usize];
            let (to_num, to_denom) = self.time_base;
            let ticks = i128::from(time / bases) * i128::from(num) * i128::from(to_denom)
                / (i128::from(denom) * i128::from(to_num));
            self.last_pts = i64::try_from(ticks).map_err(|_| broken("has a time out of range"))?;
            return Ok(code);
        }
        let mut body = vec![0; length as usize];
        self.input.read_exact(&mut body)?;
        let mut body = body.as_slice();
        match code {
            MAIN => self.main_header(&mut body)?,
            STREAM => self.stream_header(&mut body)?,
            _ => {}
        }
        Ok(code)
    }

    fn main_header(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let version = varint(body)?;
        if !(2..=4).contains(&version) {
            return Err(broken(&format!("is of version {version}, which is unknown")));
        }
        if version > 3 {
            varint(body)?;
        }
        if varint(body)? != 1 {
            return Err(broken("holds more than one stream"));
        }
        varint(body)?; // max_distance
        let bases = varint(body)?;
        self.time_bases.clear();
        for _ in 0..bases.min(64) {
            let (num, denom) = (varint(body)?, varint(body)?);
            if num == 0 || denom == 0 || num > 1 << 31 || denom > 1 << 31 {
                return Err(broken("has an absurd time base"));
            }
            self.time_bases.push((num, denom));
        }
        let mut code = FrameCode { size_mul: 1, ..FrameCode::default() };
        let mut at = 0;
        while at < 256 {
            code.flags = varint(body)?;
            let fields = varint(body)?;
            if fields > 0 {
                code.pts_delta = signed(varint(body)?);
            }
            if fields > 1 {
                code.size_mul = varint(body)?;
            }
            if fields > 2 {
                code.stream = varint(body)?;
            }
            code.size_lsb = if fields > 3 { varint(body)? } else { 0 };
            code.reserved = if fields > 4 { varint(body)? } else { 0 };
            let count = if fields > 5 {
                varint(body)?
            } else {
                code.size_mul.checked_sub(code.size_lsb).ok_or_else(|| broken("has a bad code table"))?
            };
            if fields > 6 {
                varint(body)?; // match_time_delta
            }
            if fields > 7 {
                code.header_index = varint(body)?;
            }
            for _ in 8..fields.min(64) {
                varint(body)?;
            }
            let mut done = 0;
            while done < count && at < 256 {
                if at == usize::from(b'N') {
                    self.codes[at].flags = FLAG_INVALID;
                } else {
                    let size_lsb = code.size_lsb.checked_add(done).ok_or_else(|| broken("has a bad code table"))?;
                    self.codes[at] = FrameCode { size_lsb, ..code };
                    done += 1;
                }
                at += 1;
            }
        }
        let headers = if body.is_empty() { 0 } else { varint(body)? };
        if headers > 127 {
            return Err(broken("has too many elided headers"));
        }
        self.elided.truncate(1);
        for _ in 0..headers {
            let length = varint(body)?;
            let Some((bytes, rest)) = usize::try_from(length).ok().and_then(|l| body.split_at_checked(l)) else {
                return Err(broken("has an elided header that is too long"));
            };
            self.elided.push(bytes.to_vec());
            *body = rest;
        }
        Ok(())
    }

    fn stream_header(&mut self, body: &mut &[u8]) -> io::Result<()> {
        let (id, class) = (varint(body)?, varint(body)?);
        let fourcc = bytes(body)?.to_vec();
        let base = varint(body)?;
        let shift = varint(body)?;
        for _ in 0..3 {
            varint(body)?; // max_pts_distance, decode_delay, stream_flags
        }
        bytes(body)?; // codec_specific_data
        let (width, height) = (varint(body)?, varint(body)?);
        if id != 0 || class != 0 || fourcc != b"I420" {
            return Err(broken("does not hold I420 video"));
        }
        if shift > 30 {
            return Err(broken("has an absurd time stamp form"));
        }
        self.msb_pts_shift = shift as u32;
        self.time_base = *usize::try_from(base)
            .ok()
            .and_then(|b| self.time_bases.get(b))
            .ok_or_else(|| broken("names an unknown time base"))?;
        if width == 0 || height == 0 || width > 65_535 || height > 65_535 {
            return Err(broken("has no usable picture size"));
        }
        (self.width, self.height) = (width as u32, height as u32);
        let size = i420_bytes(self.width, self.height);
        if size > FRAME_BYTES_MAX {
            return Err(broken(&format!("is {width} x {height} pixels large, more than this program takes")));
        }
        self.frame_bytes = size as usize;
        Ok(())
    }

    fn varint(&mut self) -> io::Result<u64> {
        varint(&mut self.input)
    }
}

/// Counts down what is left of a packet.
struct Counted<'a, R> {
    input: &'a mut R,
    left: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let take = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.input.read(&mut buffer[..take])?;
        self.left -= got as u64;
        Ok(got)
    }
}

/// NUT's variable-length number: seven bits a byte, most significant first.
fn varint(input: &mut impl Read) -> io::Result<u64> {
    let mut value: u64 = 0;
    for _ in 0..10 {
        let mut byte = [0; 1];
        input.read_exact(&mut byte)?;
        if value >> 57 != 0 {
            break;
        }
        value = value << 7 | u64::from(byte[0] & 0x7F);
        if byte[0] & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(broken("has a number that is too long"))
}

/// NUT's signed number on top of an unsigned one: 0, 1, -1, 2, -2, ...
fn signed(value: u64) -> i64 {
    let value = value.wrapping_add(1);
    if value & 1 == 1 { -((value >> 1) as i64) } else { (value >> 1) as i64 }
}

fn bytes<'a>(body: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let length = varint(body)?;
    let (head, rest) = usize::try_from(length)
        .ok()
        .and_then(|l| body.split_at_checked(l))
        .ok_or_else(|| broken("has a field longer than its header"))?;
    *body = rest;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `ffmpeg -f lavfi -i testsrc=size=4x2:rate=30000/1001 -frames:v 3 -enc_time_base 1/90000 -pix_fmt yuv420p
    /// -f nut -write_index 0`, metadata left out.
    const SMALL: &[u8] = include_bytes!("../../../tests/data/small.nut");

    fn all(input: &[u8]) -> io::Result<(Vec<i64>, Vec<Vec<u8>>)> {
        let mut nut = NutReader::open(input)?;
        let (mut times, mut frames) = (Vec::new(), Vec::new());
        let mut data = Vec::new();
        while let Some(ns) = nut.next_frame(&mut data)? {
            times.push(ns);
            frames.push(data.clone());
        }
        Ok((times, frames))
    }

    #[test]
    fn times_and_pixels_of_a_small_stream() {
        let (times, frames) = all(SMALL).unwrap();
        assert_eq!(times, [0, 33_366_666, 66_733_333]);
        assert!(frames.iter().all(|f| f.len() == 12));
        assert_eq!(NutReader::open(SMALL).unwrap().size(), (4, 2));
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error_and_between_frames_is_not() {
        let (whole, _) = all(SMALL).unwrap();
        let mut clean_ends = 0;
        for length in 0..SMALL.len() {
            match all(&SMALL[..length]) {
                Ok((times, _)) => {
                    assert!(times.len() < whole.len());
                    clean_ends += 1;
                }
                Err(e) => assert_eq!(e.kind(), io::ErrorKind::UnexpectedEof, "cut at {length}: {e}"),
            }
        }
        assert!(clean_ends >= 2);
    }

    #[test]
    fn signed_numbers_alternate() {
        assert_eq!([0, 1, 2, 3, 4].map(signed), [0, 1, -1, 2, -2]);
    }

    #[test]
    fn a_chroma_plane_of_an_odd_picture_is_rounded_up() {
        assert_eq!(i420_bytes(5, 3), 15 + 2 * 3 * 2);
    }

    proptest! {
        #[test]
        fn damaged_streams_give_errors_never_panics(
            at in 0..SMALL.len(), value: u8, at2 in 0..SMALL.len(), value2: u8
        ) {
            let mut bytes = SMALL.to_vec();
            bytes[at] = value;
            bytes[at2] = value2;
            let _ = all(&bytes);
        }

        #[test]
        fn numbers_round_trip(value in 0..u64::MAX >> 1) {
            let mut coded = vec![(value & 0x7F) as u8];
            let mut rest = value >> 7;
            while rest > 0 {
                coded.insert(0, (rest & 0x7F) as u8 | 0x80);
                rest >>= 7;
            }
            prop_assert_eq!(varint(&mut coded.as_slice()).unwrap(), value);
        }
    }
}
