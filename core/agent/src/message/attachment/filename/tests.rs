use super::*;

#[test]
fn mallorys_names_stay_where_they_are_put() {
    let long = format!("{}.tar.gz", "ä".repeat(300));
    for (wish, name) in [
        ("map.png", Some("map.png")),
        ("Fahrplan für März.pdf", Some("Fahrplan für März.pdf")),
        ("../../etc/passwd", Some("passwd")),
        ("..\\..\\boot.ini", Some("boot.ini")),
        ("/etc/shadow", Some("shadow")),
        ("C:\\x\\y.txt", Some("y.txt")),
        ("C:evil", Some("C_evil")),
        ("a\0b", Some("a_b")),
        ("a\nb\x1b[2J", Some("a_b_[2J")),
        (".bashrc", Some("bashrc")),
        ("...", None),
        ("..", None),
        (".", None),
        ("", None),
        ("a/", None),
        (" . . ", None),
        ("\0\0", None),
        ("-rf", Some("rf")),
        ("a\u{202e}gpj.exe", Some("a_gpj.exe")),
        ("photo.jpg", Some("photo.jpg")),
        ("--output=x", Some("output=x")),
        ("NUL", Some("_NUL")),
        ("nul.txt", Some("_nul.txt")),
        ("Com1 .txt", Some("_Com1 .txt")),
        ("com\u{b9}.log", Some("_com\u{b9}.log")),
        ("lpt0", Some("_lpt0")),
        ("CONIN$", Some("_CONIN$")),
        ("CONSOLE.txt", Some("CONSOLE.txt")),
        ("com10", Some("com10")),
        ("x.txt.", Some("x.txt")),
        ("txt.\u{202e}gpj.exe", Some("txt._gpj.exe")),
        ("a\u{2066}b\u{61c}c\u{feff}d\u{2028}e", Some("a_b_c_d_e")),
        ("a:b|c?d*e<f>g\"", Some("a_b_c_d_e_f_g_")),
    ] {
        assert_eq!(safe_filename(wish).as_deref(), name, "{wish:?}");
    }
    let short = safe_filename(&long).unwrap();
    assert!(short.len() <= 120 && short.len() > 110, "{}", short.len());
    assert!(short.starts_with('ä') && short.ends_with(".gz"));
    assert!(
        safe_filename(&format!("x.{}", "y".repeat(300)))
            .unwrap()
            .len()
            <= 120
    );
    assert!(
        safe_filename(&format!("nul.{}", "y".repeat(300)))
            .unwrap()
            .len()
            <= 120
    );
}

proptest::proptest! {
    #[test]
    fn no_name_leaves_its_folder(wish in "\\PC{0,20}[./\\\\\0 :]{0,8}\\PC{0,200}|.{0,300}") {
        if let Some(name) = safe_filename(&wish) {
            let path = std::path::Path::new(&name);
            proptest::prop_assert_eq!(path.file_name(), Some(path.as_os_str()));
            proptest::prop_assert!(!name.is_empty() && name.len() <= 120);
            proptest::prop_assert!(!name.starts_with(['.', '-', ' ']) && !name.ends_with(['.', ' ']));
            proptest::prop_assert!(!name.contains(|c: char| c.is_control() || "/\\:".contains(c)));
            proptest::prop_assert_eq!(safe_filename(&name), Some(name));
        }
    }
}
