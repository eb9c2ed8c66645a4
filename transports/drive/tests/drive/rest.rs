//! The rest of a message that another medium began: asked for, answered, and lied about.

use std::fs;

use packmule_bus::Envelope;
use packmule_bus::fountain::{Catcher, Caught, Fountain, Limits, Partial, Shape, TransferId};
use packmule_drive::{Folder, Want};
use tempfile::tempdir;

use crate::{NOW, all, names, packed};

const SYMBOL: usize = 200;

fn wire() -> Vec<u8> {
    Envelope::from_packed(&packed(7, 20_000)).unwrap().to_wire()
}

/// What bob has when he has seen every frame that `seen` says.
fn begun(wire: &[u8], seen: impl Fn(u32) -> bool) -> (Catcher, Partial) {
    let fountain = Fountain::new(wire, SYMBOL).unwrap();
    let mut catcher = Catcher::new(Limits::default());
    for id in (0..fountain.source_count()).filter(|id| seen(*id)) {
        let caught = catcher.catch(&fountain.frame(id).unwrap()).unwrap();
        assert!(matches!(caught, Caught::Fresh(_)));
    }
    let partial = catcher.partials().remove(0);
    (catcher, partial)
}

#[test]
fn bob_asks_and_alice_writes_no_more_than_is_lacking() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let wire = wire();
    let (mut catcher, partial) = begun(&wire, |id| id % 3 == 0);
    let want = Want::rest_of(&partial);
    folder.ask(&[want]).unwrap();
    // He has seen more meanwhile: the newer wish takes the older one's place.
    let (_, more) = begun(&wire, |id| id % 3 == 0 || id == 1);
    folder.ask(&[Want::rest_of(&more)]).unwrap();
    assert_eq!(folder.wanted().unwrap(), [Want::rest_of(&more)]);
    folder.ask(&[want]).unwrap();

    let told = folder.deliver_rest(&wire, &want, NOW).unwrap();
    folder.forget_want(&want).unwrap();
    assert!(folder.wanted().unwrap().is_empty());
    let lacking = want.shape.source_count() - want.received;
    let bytes = fs::metadata(&told.path).unwrap().len();
    assert!(bytes < u64::from(lacking + 3) * (SYMBOL as u64 + 17));
    // Written again after a kill, it is there already.
    assert!(folder.deliver_rest(&wire, &want, NOW).unwrap().duplicate);
    // It is no message, for anybody.
    assert!(all(&folder).is_empty());

    let rest = folder.rests().unwrap().next().unwrap().unwrap();
    let mut whole = None;
    for frame in rest.frames() {
        if let Ok(Caught::Complete { object, .. }) = catcher.catch(frame) {
            whole = Some(object);
        }
    }
    assert_eq!(whole, Some(wire));
    folder.settle(&rest.token).unwrap();
    assert!(folder.rests().unwrap().next().is_none());
}

#[test]
fn alice_answers_for_the_message_that_is_meant_only() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let wire = wire();
    let (_, partial) = begun(&wire, |id| id < 9);
    let want = Want::rest_of(&partial);
    let other = Want {
        transfer: TransferId::of(b"another"),
        ..want
    };
    let longer = Want {
        shape: Shape::new(wire.len() + 1, SYMBOL).unwrap(),
        ..want
    };
    for wrong in [other, longer] {
        assert!(folder.deliver_rest(&wire, &wrong, NOW).is_err());
    }
    // Whoever claims to have all of it, or asks for what cannot be, gets nothing.
    for received in [want.shape.source_count(), u32::MAX] {
        let mad = Want { received, ..want };
        assert!(folder.deliver_rest(&wire, &mad, NOW).is_err());
        assert!(folder.ask(&[mad]).is_ok() && !folder.wanted().unwrap().contains(&mad));
    }
    for beyond in [(1 << 24) - 2, u32::MAX] {
        let madder = Want { beyond, ..want };
        assert!(folder.deliver_rest(&wire, &madder, NOW).is_err());
        assert!(folder.ask(&[madder]).is_ok() && !folder.wanted().unwrap().contains(&madder));
    }
}

#[test]
fn wishes_that_are_none_are_passed_over() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let wants = stick.path().join("DIDCOMM/want");
    fs::create_dir_all(&wants).unwrap();
    for name in [
        "0badcafe-100-20-1-1.want.want",
        "0BADCAFE-100-20-1-1.want",
        "0badcafe-100-20-01-1.want",
        "0badcafe-0-20-1-1.want",
        "0badcafe-99999999999999-20-1-1.want",
        "0badcafe-100-20-1.want",
        "+badcafe-100-20-1-1.want",
        ".want",
    ] {
        fs::write(wants.join(name), [0; 100]).unwrap();
    }
    assert_eq!(folder.wanted().unwrap(), []);
    fs::write(wants.join("0badcafe-100-20-1-1.want"), []).unwrap();
    assert_eq!(folder.wanted().unwrap().len(), 1);
    // A stick whose subfolder is a link is not written to.
    fs::remove_dir_all(&wants).unwrap();
    let elsewhere = tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &wants).unwrap();
    let (_, partial) = begun(&wire(), |id| id < 9);
    assert!(folder.ask(&[Want::rest_of(&partial)]).is_err());
    assert_eq!(names(elsewhere.path()), Vec::<String>::new());
}

#[test]
fn a_torn_rest_is_told_and_left() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let wire = wire();
    let (_, partial) = begun(&wire, |id| id < 9);
    let want = Want::rest_of(&partial);
    let path = folder.deliver_rest(&wire, &want, NOW).unwrap().path;
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let told = folder.rests().unwrap().next().unwrap();
    assert!(told.unwrap_err().file().is_some());
    assert!(path.exists());
    // Neither does it hinder a whole one.
    folder.deliver_rest(&wire, &want, NOW + 1).unwrap();
    let read = folder.rests().unwrap();
    assert_eq!(read.filter(Result::is_ok).count(), 1);
}

#[test]
fn what_has_arrived_long_since_is_taken_back() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let kind = packmule_bus::Kind::Encrypted;
    let one = folder.deliver(&packed(1, 500), kind, NOW).unwrap();
    let two = folder.deliver(&packed(2, 500), kind, NOW).unwrap();
    // Whoever makes a folder of such a name holds nobody up.
    let odd = packmule_drive::FileHash::of(b"odd");
    fs::create_dir(folder.path().join(format!("1--{odd}.dcem"))).unwrap();
    assert!(folder.retract(&[odd].into()).unwrap().is_empty());
    let hashes = [one.hash.clone()].into();
    assert_eq!(folder.retract(&hashes).unwrap(), hashes);
    assert!(!one.path.exists() && two.path.exists());
    assert!(folder.retract(&hashes).unwrap().is_empty());
}
