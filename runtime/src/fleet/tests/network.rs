//! The server is away and comes back, downloads are cut and gone on with, and the client's thread hears its doorbell.

use firmware_config::manifest::{FileEntry, FileRole};
use hawkbit::ddi::{Execution, Finished, Type};

use super::*;
use crate::ErrorKind;

#[test]
fn a_server_that_is_away_is_asked_again_and_a_cut_download_goes_on() {
    let site = Site::new();
    let relay = Relay::before(&site.server);
    let (mut manifest, mut contents) = release(2);
    contents[0] = vec![7; 400 << 10];
    manifest.files[0] = FileEntry::of("head.onnx", FileRole::Head, &contents[0]);
    let bytes = packed(&(manifest, contents), 1);
    let hash = sha256(&bytes);
    site.target.push_deployment(deployment(ACTION, Type::Forced, site.file("large.tadpole", &bytes), &hash));
    let expect =
        |execution, text| site.target.expect_deployment_feedback(ACTION, execution, Finished::None, None, vec![text]);
    let download = expect(Execution::Download, "is being downloaded");
    let proving = expect(Execution::Proceeding, "roadside release 2 is on trial: to be proved");
    let part = site.folder.path().join(format!("store/incoming/{hash}.part"));

    let mut device = site.device_at(&relay.url);
    relay.allow(0);
    assert_eq!(device.turn().unwrap_err().kind, ErrorKind::Unavailable);
    // This server knows no ranges: what is there is read once more, and each attempt gets further only with more.
    for (cut, kib) in [100, 200, 300].into_iter().enumerate() {
        let before = std::fs::metadata(&part).map_or(0, |part| part.len());
        relay.allow(kib << 10);
        let error = device.turn().unwrap_err();
        assert!(error.to_string().contains("it is gone on with"), "{error}");
        let after = std::fs::metadata(&part).unwrap().len();
        assert!(after > before && after < bytes.len() as u64, "cut {cut}: {before}, {after}");
    }
    relay.allow(i64::MAX);
    device.turn().unwrap();
    assert_eq!((download.calls(), proving.calls()), (1, 1));
    assert_eq!(site.store().state().unwrap().on_trial().unwrap().blob, hash);
}

#[test]
fn what_is_there_already_is_not_asked_for_again() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 1);
    let bytes = std::fs::read(&file).unwrap();
    let mut incoming = site.store().receive(&hash, bytes.len() as u64).map(|incoming| incoming.have()).unwrap();
    assert_eq!(incoming, 0);
    let store = site.store();
    let mut earlier = store.receive(&hash, bytes.len() as u64).unwrap();
    earlier.write(&bytes[..1000]).unwrap();
    drop(earlier);
    incoming = bytes.len() as u64;
    let rest = bytes[1000..].to_vec();
    let chunk = DeploymentBuilder::new(ACTION, Type::Forced, Type::Forced).chunk_with_mock(
        ChunkProtocol::HTTP,
        "bApp",
        "1",
        "model",
        vec![(file, "-", "-", &hash)],
        Box::new(move |when, then| {
            when.path("/download/release-2.tadpole").header("Range", "bytes=1000-");
            then.status(206)
                .header("Content-Range", format!("bytes 1000-{}/{incoming}", incoming - 1))
                .body(rest.clone());
        }),
    );
    site.target.push_deployment(chunk.build());
    let expect =
        |execution, text| site.target.expect_deployment_feedback(ACTION, execution, Finished::None, None, vec![text]);
    let _download = expect(Execution::Download, "is being downloaded");
    let proving = expect(Execution::Proceeding, "roadside release 2 is on trial: to be proved");
    site.device().turn().unwrap();
    assert_eq!(proving.calls(), 1);
}

#[test]
fn a_part_that_a_power_cut_damaged_is_fetched_anew() {
    let site = Site::new();
    let (file, hash) = site.bundle(2, 1);
    let bytes = std::fs::metadata(&file).unwrap().len();
    let store = site.store();
    store.receive(&hash, bytes).unwrap().write(&[0; 1000]).unwrap();
    site.target.push_deployment(deployment(ACTION, Type::Forced, file, &hash));
    let expect =
        |execution, text| site.target.expect_deployment_feedback(ACTION, execution, Finished::None, None, vec![text]);
    let _download = expect(Execution::Download, "is being downloaded");
    let proving = expect(Execution::Proceeding, "roadside release 2 is on trial: to be proved");
    let mut device = site.device();
    let error = device.turn().unwrap_err();
    assert!(error.to_string().contains("it is fetched anew"), "{error}");
    device.turn().unwrap();
    assert_eq!(proving.calls(), 1);
}

#[test]
fn a_wrong_token_is_an_answer_that_says_so() {
    let site = Site::new();
    let server = ServerBuilder::default().build();
    let _other = server.add_target("another");
    let error = site.device_at(&server.base_url()).turn().unwrap_err();
    assert!(error.to_string().contains("check the device's name"), "{error}");
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

#[test]
fn the_token_is_shown_to_its_own_server_alone() {
    let site = Site::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/bundle", elsewhere.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = elsewhere.accept().unwrap();
        let mut piece = [0; 4096];
        let got = stream.read(&mut piece).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        String::from_utf8_lossy(&piece[..got]).to_lowercase()
    });
    let device = site.device();
    let (begins, mut bytes) = device.client().file(&url, 5).unwrap();
    let mut body = String::new();
    bytes.read_to_string(&mut body).unwrap();
    assert_eq!((begins, body.as_str()), (0, "hi"), "a server that knows no ranges begins at the beginning");
    let heard = heard.join().unwrap();
    assert!(heard.contains("range: bytes=5-") && !heard.contains("authorization"), "{heard}");

    let own = "/DEFAULT/controller/v1/pole-1/softwaremodules/1/artifacts/a.tadpole";
    let server = site.server.base_url();
    let place = |url: &str| device.client().place(url);
    assert_eq!(place(&format!("http://inside:8080{own}")), (format!("{server}{own}"), true), "hawkBit behind a proxy");
    assert_eq!(place(&format!("{server}/download/a")), (format!("{server}/download/a"), true));
    for elsewhere in
        ["https://cdn/DEFAULT/controller/v1/pole-12/a", &format!("{server}.evil/a"), &format!("{server}0/a")]
    {
        assert_eq!(place(elsewhere), (elsewhere.to_owned(), false));
    }
}

#[test]
fn the_doorbell_has_the_server_asked_now_and_the_end_is_not_waited_for() {
    let site = Site::new();
    let device = site.device();
    let bell = device.bell().clone();
    bell.ring();
    let running = std::thread::spawn(move || device.run(Pace::of(POLE)));
    let polled = |count| {
        let until = Instant::now() + Duration::from_secs(20);
        while site.target.poll_hits() < count && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        site.target.poll_hits()
    };
    assert_eq!(polled(1), 1);
    bell.ring();
    assert_eq!(polled(2), 2, "a minute before the server's time");
    bell.end();
    let fleet = Fleet { bell, cameras: Cameras::default(), threads: vec![running] };
    let begun = Instant::now();
    fleet.end();
    assert!(begun.elapsed() < FAREWELL);
}
