//! `file:` URIs there and back, and those that are refused.

use super::*;
use proptest::prelude::*;

#[test]
fn the_three_local_forms_are_one_folder() {
    let folder = PathBuf::from("/media/alice/STICK/DIDCOMM");
    for uri in [
        "file:///media/alice/STICK/DIDCOMM",
        "file:/media/alice/STICK/DIDCOMM",
        "FILE://localhost/media/alice/STICK/DIDCOMM/",
    ] {
        assert_eq!(path_of_uri(uri).unwrap(), folder, "{uri}");
    }
    let uri = uri_of_path(&folder).unwrap();
    assert_eq!(uri, "file:///media/alice/STICK/DIDCOMM");
}

#[test]
fn spaces_and_umlauts_are_escaped() {
    let path = Path::new("/media/bob/Bücher & mehr?");
    let uri = uri_of_path(path).unwrap();
    assert_eq!(uri, "file:///media/bob/B%C3%BCcher%20&%20mehr%3F");
    assert_eq!(path_of_uri(&uri).unwrap(), path);
}

#[test]
fn what_is_no_local_folder_is_refused() {
    use UriError::{Malformed, Relative, Remote, Scheme};
    for (uri, error) in [
        ("https://example.org/x", Scheme),
        ("", Scheme),
        ("file:x/y", Relative),
        ("file:", Relative),
        ("file://", Relative),
        ("file://nas/share", Remote("nas".into())),
        ("file:///a%2", Malformed(9)),
        ("file:///a%zz", Malformed(9)),
        ("file:///a%00b", Malformed(9)),
        ("file:///a?b", Malformed(9)),
        ("file:///a#b", Malformed(9)),
    ] {
        assert_eq!(path_of_uri(uri), Err(error), "{uri}");
    }
    let endless = format!("file:///{}", "a".repeat(20_000));
    assert_eq!(path_of_uri(&endless), Err(UriError::TooLong));
    assert_eq!(
        uri_of_path(Path::new("stick")),
        Err(UriError::PathNotAbsolute)
    );
}

proptest! {
    #[test]
    fn every_path_survives_its_uri(bytes in proptest::collection::vec(1u8.., 0..60)) {
        let mut path = b"/".to_vec();
        path.extend(bytes);
        let path = PathBuf::from(OsString::from_vec(path));
        prop_assert_eq!(path_of_uri(&uri_of_path(&path).unwrap()).unwrap(), path);
    }

    #[test]
    fn any_text_is_a_path_or_an_error(text in "(file:)?\\PC{0,60}") {
        if let Ok(path) = path_of_uri(&text) {
            prop_assert!(path.is_absolute());
        }
    }
}
