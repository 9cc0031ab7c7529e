//! Against the real ffmpeg: clips made on the spot, files damaged on purpose, a camera that goes away.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::ErrorKind;
use crate::source::queue::QUEUE_FRAMES;

/// True, with a loud line, when there is no ffmpeg to test with.
fn no_ffmpeg() -> bool {
    let missing = ["ffmpeg", "ffprobe"]
        .iter()
        .any(|p| Command::new(p).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err());
    if missing {
        eprintln!("SKIPPED: no ffmpeg on this machine (sudo apt install ffmpeg)");
    }
    missing
}

fn ffmpeg(args: &str, output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
        .args(args.split_whitespace())
        .arg(output)
        .status()
        .unwrap();
    assert!(status.success(), "ffmpeg {args}");
}

fn clip(folder: &Path, name: &str, args: &str) -> PathBuf {
    let path = folder.join(name);
    ffmpeg(&format!("-f lavfi -i {args}"), &path);
    path
}

fn open(path: &Path) -> Result<FfmpegSource> {
    FfmpegSource::open(path.to_str().unwrap(), &Options::default())
}

fn open_error(path: &Path) -> Error {
    open(path).err().expect("must be refused")
}

fn frames(mut source: FfmpegSource) -> (Vec<FrameHeader>, Vec<Frame>) {
    let (mut headers, mut frames) = (Vec::new(), Vec::new());
    loop {
        match source.advance().unwrap() {
            Advance::Frame(header) => {
                let mut frame = Frame::default();
                source.read(&mut frame).unwrap();
                headers.push(header);
                frames.push(frame);
            }
            Advance::Gap { reason } => panic!("a recording has no gaps: {reason}"),
            Advance::End => {
                assert_eq!(source.advance().unwrap(), Advance::End, "the end stays the end");
                return (headers, frames);
            }
        }
    }
}

#[test]
fn a_recording_gives_every_frame_once_with_its_time() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path(), "a clip%.mp4", "testsrc=size=66x50:rate=30000/1001:duration=1 -pix_fmt yuv420p");
    let source = open(&path).unwrap();
    let info = source.info().clone();
    assert_eq!((info.width, info.height, info.frames, info.live), (66, 50, Some(30), false));
    assert!((info.rate_hz.unwrap() - 29.97).abs() < 0.001);
    let (headers, pixels) = frames(source);
    assert_eq!(headers.len(), 30);
    for (i, header) in headers.iter().enumerate() {
        assert_eq!(header.number, i as u64 + 1);
        let want = i as f64 * 1001.0 / 30000.0;
        assert!((header.pts_ns as f64 * 1e-9 - want).abs() < 1e-6, "{header:?} is not at {want}");
    }
    assert!(pixels.iter().all(|f| f.data.len() == 66 * 50 * 3 / 2 && f.stride == 66));
    // The same file gives the same bytes, through a file:// URI too.
    let uri = format!("file://{}", path.to_str().unwrap().replace('%', "%25").replace(' ', "%20"));
    let (again_headers, again) = frames(FfmpegSource::open(&uri, &Options::default()).unwrap());
    assert_eq!(again_headers, headers);
    assert!(pixels.iter().zip(&again).all(|(a, b)| a.data == b.data));
}

#[test]
fn frames_that_are_not_read_are_passed_over() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path(), "a.mkv", "testsrc=size=64x48:rate=25:duration=0.4 -c:v ffv1");
    let (_, all) = frames(open(&path).unwrap());
    let mut source = open(&path).unwrap();
    for _ in 0..7 {
        source.advance().unwrap();
    }
    let mut frame = Frame::default();
    source.read(&mut frame).unwrap();
    assert_eq!(frame.data, all[6].data);
    assert_ne!(frame.data, all[5].data);
}

#[test]
fn a_variable_rate_is_kept() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Of 25 Hz frames, those whose number modulo 5 is 0, 1 or 3, and the clock starting at 10 s.
    let path = clip(
        folder.path(),
        "vfr.mkv",
        "testsrc=size=64x48:rate=25:duration=0.8 -vf select=not(mod(n\\,5))+eq(mod(n\\,5)\\,1)+eq(mod(n\\,5)\\,3),setpts=PTS+10/TB -fps_mode passthrough -c:v ffv1",
    );
    let (headers, _) = frames(open(&path).unwrap());
    let ms: Vec<u64> = headers.iter().map(|h| h.pts_ns / 1_000_000).collect();
    assert_eq!(ms, [0, 40, 120, 200, 240, 320, 400, 440, 520, 600, 640, 720]);
}

#[test]
fn a_rotated_recording_stands_upright_and_odd_sizes_are_whole() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let flat = clip(folder.path(), "flat.mp4", "testsrc=size=64x48:rate=25:duration=0.2 -pix_fmt yuv420p");
    let turned = folder.path().join("turned.mp4");
    ffmpeg(&format!("-i {} -c copy -metadata:s:v:0 rotate=90", flat.display()), &turned);
    let source = open(&turned).unwrap();
    assert_eq!((source.info().width, source.info().height), (48, 64));
    assert_eq!(frames(source).1[0].data.len(), 48 * 64 * 3 / 2);
    let odd = clip(folder.path(), "odd.mkv", "testsrc=size=65x49:rate=25:duration=0.2 -c:v ffv1 -pix_fmt yuv444p");
    assert_eq!(frames(open(&odd).unwrap()).1[0].data.len(), 65 * 49 + 2 * 33 * 25);
}

#[test]
fn full_range_video_becomes_limited_range() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let white =
        clip(folder.path(), "w.avi", "color=white:size=32x32:rate=25:duration=0.1 -c:v mjpeg -pix_fmt yuvj420p");
    let (_, pixels) = frames(open(&white).unwrap());
    assert!(pixels[0].data[..1024].iter().all(|&y| (233..=236).contains(&y)), "{}", pixels[0].data[0]);
}

#[test]
fn what_is_not_a_video_is_refused() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(
        at("noise.mp4"),
        (0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    std::fs::write(at("notes.txt"), "shopping list\nmilk\n".repeat(50)).unwrap();
    let sound = clip(folder.path(), "sound.wav", "sine=duration=0.2");
    let whole = clip(folder.path(), "whole.mp4", "testsrc=size=64x48:rate=25:duration=0.4 -pix_fmt yuv420p");
    let bytes = std::fs::read(whole).unwrap();
    std::fs::write(at("cut.mp4"), &bytes[..bytes.len() / 2]).unwrap();
    for (path, kind, word) in [
        (at("noise.mp4"), ErrorKind::Corrupt, ""),
        (at("notes.txt"), ErrorKind::InvalidInput, "text"),
        (sound, ErrorKind::InvalidInput, "no video stream"),
        (at("cut.mp4"), ErrorKind::Corrupt, "moov"),
    ] {
        let e = open_error(&path);
        assert_eq!(e.kind, kind, "{e}");
        assert!(e.to_string().contains(word) && e.to_string().contains(path.to_str().unwrap()), "{e}");
        assert!(!e.to_string().contains("0x"), "{e}");
    }
}

#[test]
fn a_recording_cut_in_the_middle_ends_there() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = clip(
        folder.path(),
        "whole.mp4",
        "testsrc2=size=160x120:rate=25:duration=2 -pix_fmt yuv420p -g 5 -movflags +faststart",
    );
    let bytes = std::fs::read(&whole).unwrap();
    let cut = folder.path().join("cut.mp4");
    std::fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let (headers, _) = frames(open(&cut).unwrap());
    assert!((5..50).contains(&headers.len()), "{}", headers.len());
}

#[test]
fn a_missing_ffmpeg_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    std::fs::write(&path, b"x").unwrap();
    let options =
        Options { ffmpeg: "/nowhere/ffmpeg".into(), ffprobe: "/nowhere/ffprobe".into(), ..Options::default() };
    for uri in [path.to_str().unwrap(), "rtsp://127.0.0.1:9/x"] {
        let e = FfmpegSource::open(uri, &options).err().unwrap();
        assert_eq!(e.kind, ErrorKind::Unavailable);
        assert!(e.to_string().contains("apt install ffmpeg"), "{e}");
    }
}

#[test]
fn a_source_that_is_dropped_leaves_no_child() {
    if no_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path(), "a.mkv", "testsrc=size=320x240:rate=25:duration=4 -c:v ffv1");
    let mut source = open(&path).unwrap();
    source.advance().unwrap();
    drop(source);
    let needle = path.to_str().unwrap().as_bytes();
    let left = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|c| c.windows(needle.len()).any(|w| w == needle))
    });
    assert!(!left, "ffmpeg is still there");
}

/// A camera that serves one connection: MPEG-TS over TCP, in real time, killed when dropped.
struct Camera(Child);

impl Camera {
    fn start(port: u16, seconds: f32) -> Self {
        let child = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "quiet", "-re", "-f", "lavfi", "-i"])
            .arg(format!("testsrc=size=160x120:rate=25:duration={seconds}"))
            .args(["-c:v", "mpeg2video", "-g", "5", "-f", "mpegts"])
            .arg(format!("tcp://127.0.0.1:{port}?listen=1"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Advance until `wanted` holds; the number of frames passed and the gaps' reasons.
fn until(source: &mut FfmpegSource, wanted: impl Fn(&Advance) -> bool) -> (Vec<FrameHeader>, Vec<String>) {
    let (mut headers, mut gaps) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        let advance = source.advance().unwrap();
        let done = wanted(&advance);
        match advance {
            Advance::Frame(header) => headers.push(header),
            Advance::Gap { reason } => gaps.push(reason),
            Advance::End => panic!("a camera has no end"),
        }
        if done {
            return (headers, gaps);
        }
    }
    panic!("never came");
}

fn is_gap(advance: &Advance) -> bool {
    matches!(advance, Advance::Gap { .. })
}

#[test]
fn a_camera_that_goes_away_is_a_gap_and_comes_back() {
    if no_ffmpeg() {
        return;
    }
    let port = free_port();
    let camera = Camera::start(port, 3.0);
    let mut source = FfmpegSource::open(&format!("tcp://127.0.0.1:{port}"), &Options::default()).unwrap();
    assert!(source.info().live);
    let (first, gaps) =
        until(&mut source, |a| is_gap(a) && matches!(a, Advance::Gap { reason } if !reason.contains("refused")));
    assert!(first.last().is_some_and(|h| h.number > 5), "{} frames, {gaps:?}", first.len());
    assert_eq!((source.info().width, source.info().height), (160, 120));
    drop(camera);
    let _camera = Camera::start(port, 60.0);
    let (second, gaps) = until(&mut source, |a| !is_gap(a));
    let (last, next) = (first.last().unwrap(), second.last().unwrap());
    assert!(next.pts_ns > last.pts_ns && next.number > last.number, "{last:?} {next:?} {gaps:?}");
}

#[test]
fn a_camera_that_falls_silent_is_given_up_in_time() {
    if no_ffmpeg() {
        return;
    }
    // Accepts, never sends.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://user:secret@{}", listener.local_addr().unwrap());
    let uri = uri.replace("user:secret@", "");
    let options = Options { connect_timeout: Duration::from_millis(400), ..Options::default() };
    let started = std::time::Instant::now();
    let mut source = FfmpegSource::open(&uri, &options).unwrap();
    assert_eq!((source.info().width, source.info().height), (0, 0));
    let (_, gaps) = until(&mut source, is_gap);
    assert!(gaps[0].contains("no frame came in time") && gaps[0].contains("0.5 s"), "{gaps:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let (_, gaps) = until(&mut source, is_gap);
    assert!(gaps[0].contains("trying again in 1 s"), "{gaps:?}");
}

#[test]
fn a_reader_that_waits_for_a_camera_is_stopped_from_outside() {
    if no_ffmpeg() {
        return;
    }
    // Accepts, never sends.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://{}", listener.local_addr().unwrap());
    let options = Options { connect_timeout: Duration::from_secs(4), ..Options::default() };
    let mut source = FfmpegSource::open(&uri, &options).unwrap();
    until(&mut source, is_gap);
    // Waiting for the second attempt, which takes as long.
    let stopper = source.stopper();
    let waiting = std::thread::spawn(move || while source.advance().unwrap() != Advance::End {});
    std::thread::sleep(Duration::from_millis(700));
    let told = std::time::Instant::now();
    stopper.stop();
    waiting.join().unwrap();
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
}

#[test]
fn a_slow_reader_of_a_camera_loses_old_frames_and_they_are_counted() {
    if no_ffmpeg() {
        return;
    }
    let port = free_port();
    let _camera = Camera::start(port, 60.0);
    let mut source = FfmpegSource::open(&format!("tcp://127.0.0.1:{port}"), &Options::default()).unwrap();
    until(&mut source, |a| !is_gap(a));
    // At 25 frames a second the queue is full long before.
    std::thread::sleep(Duration::from_millis(40 * (QUEUE_FRAMES as u64 + 14)));
    let before = source.dropped();
    assert!(before >= 5, "{before}");
    let (headers, _) = until(&mut source, |a| !is_gap(a));
    assert!(headers[0].number > 5, "{headers:?}");
}
