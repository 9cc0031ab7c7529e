//! Several receive bundles into one store at the same time, as a push and a download do: each keeps its part, and what nobody receives makes
//! room. On the real disk, whose locks these are.

use super::*;
use crate::ErrorKind;
use crate::store::receive::Incoming;

/// A folder, and two who use the store in it.
fn two() -> (tempfile::TempDir, Store, Store) {
    let folder = tempfile::tempdir().unwrap();
    let [push, pull] = [(); 2].map(|()| Store::new(folder.path().join("store")));
    adopt(&push, 1);
    (folder, push, pull)
}

fn receive<'s>(store: &'s Store, bytes: &[u8]) -> Result<Incoming<'s>> {
    store.receive(&sha256(bytes), bytes.len() as u64)
}

fn parts(store: &Store) -> usize {
    std::fs::read_dir(store.incoming()).unwrap().count()
}

#[test]
fn a_push_and_a_download_at_the_same_time_both_arrive() {
    let (_folder, push, pull) = two();
    let (pushed, pulled) = (bundle_of(2), bundle_of(3));
    let mut first = receive(&push, &pushed).unwrap();
    first.write(&pushed[..1000]).unwrap();
    let mut second = receive(&pull, &pulled).unwrap();
    second.write(&pulled[..500]).unwrap();
    first.write(&pushed[1000..]).unwrap();
    second.write(&pulled[500..]).unwrap();
    assert_eq!(first.finish(&trust()).unwrap().model.id, id_of(2));
    assert_eq!(second.finish(&trust()).unwrap().model.id, id_of(3));
    assert_eq!((parts(&push), push.state().unwrap().candidate.unwrap().release), (0, 3));
}

#[test]
fn one_bundle_has_one_receiver_and_the_next_goes_on_where_it_ended() {
    let (_folder, push, pull) = two();
    let bytes = bundle_of(2);
    let mut first = receive(&push, &bytes).unwrap();
    first.write(&bytes[..1000]).unwrap();
    let error = receive(&pull, &bytes).err().unwrap();
    assert!(error.kind == ErrorKind::Unavailable && error.problem.contains("somebody else"), "{error}");
    // The first one's connection is cut.
    drop(first);
    let mut rest = receive(&pull, &bytes).unwrap();
    assert_eq!(rest.have(), 1000);
    rest.write(&bytes[1000..]).unwrap();
    assert_eq!(rest.finish(&trust()).unwrap().model.id, id_of(2));
}

#[test]
fn only_what_nobody_receives_is_removed() {
    let (_folder, push, pull) = two();
    let bytes = bundle_of(2);
    let mut open = receive(&push, &bytes).unwrap();
    open.write(&bytes).unwrap();
    drop(receive(&pull, &bundle_of(3)).unwrap());
    assert_eq!(parts(&push), 2);
    let next = receive(&pull, &bundle_of(4)).unwrap();
    assert_eq!(parts(&push), 2, "the part of release 3 has gone, the open one has not");
    drop(next);
    // Nor for want of room: then the newcomer is refused.
    let blob = std::fs::metadata(push.blob_path(&sha256(&bundle_of(1)))).unwrap().len();
    let full = Store::new(push.folder()).with_quota(blob + bytes.len() as u64 + 10);
    assert_eq!(install(&full, 5).unwrap_err().kind, ErrorKind::NoRoom);
    assert_eq!(parts(&push), 1);
    drop(open);
    install(&full, 5).unwrap();
    assert_eq!(parts(&push), 0);
}
