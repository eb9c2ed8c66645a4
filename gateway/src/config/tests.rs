//! Files and environments as people write them.

use super::*;

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("gateway.toml");
    fs::write(&file, text).unwrap();
    let environment = environment
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Config::load(Some(&file), environment)
}

#[test]
fn an_empty_file_and_none_are_the_defaults() {
    assert_eq!(load("", &[]).unwrap(), Config::default());
    assert_eq!(Config::load(None, []).unwrap(), Config::default());
}

#[test]
fn a_whole_file_is_read() {
    let config = load(
        "listen = \"0.0.0.0:443\"\npublic-url = \"https://kiosk.example.org/\"\n\
         links = [\"tcp://0.0.0.0:4460\"]\n\
         [tls]\ncertificate = \"cert.pem\"\nkey = \"/etc/key.pem\"\n\
         [accounts]\nopen = false\nallow = [\"did:example:alice\"]\n\
         [mailboxes]\nkeep = \"2w\"\ntotal = \"10GB\"\naccount = 5000\n\
         [limits]\nmax-message = \"1MiB\"\nrate-per-address = 0\n\
         [log]\nlevel = \"debug\"\n",
        &[],
    )
    .unwrap();
    assert_eq!(config.listen.port(), 443);
    let tls = config.tls.unwrap();
    assert!(tls.certificate.is_absolute() && tls.certificate.ends_with("cert.pem"));
    assert_eq!(tls.key, Path::new("/etc/key.pem"));
    assert_eq!(config.mailboxes.keep.as_secs(), 14 * 86_400);
    assert_eq!(config.mailboxes.total, 10_000_000_000);
    assert_eq!(config.mailboxes.account, 5_000);
    assert_eq!(config.limits.max_message, 1 << 20);
    assert_eq!(config.limits.burst_per_address, 200);
    assert_eq!(config.log.level, LogLevel::Debug);
}

#[test]
fn a_database_is_named_and_not_told() {
    let text = "[mailboxes]\npostgres-authority = \"ca.pem\"\n";
    let name = "PACKMULE_GATEWAY_MAILBOXES__POSTGRES";
    let url = "postgres://kiosk:secret@db.example.org/mail";
    let config = load(text, &[(name, url)]).unwrap();
    assert_eq!(config.mailboxes.postgres.as_ref().unwrap().text(), url);
    assert!(
        config
            .mailboxes
            .postgres_authority
            .as_ref()
            .unwrap()
            .is_absolute()
    );
    assert!(!format!("{config:?}").contains("secret"));
    let told = load("", &[(name, "kiosk:secret@db")])
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("mailboxes.postgres") && !told.contains("secret"),
        "{told}"
    );
}

#[test]
fn a_fault_of_the_file_has_its_line() {
    for (text, line, word) in [
        ("listen = \"0.0.0.0:80\"\nlistne = 1\n", "line 2", "listne"),
        ("[limits]\n\nmax-message = \"much\"\n", "line 3", "much"),
        ("[limits]\nmax-message = true\n", "line 2", "a size"),
        ("[mailboxes]\nkeep = \"soon\"\n", "line 2", "soon"),
        ("[log]\nlevel = \"loud\"\n", "line 2", "loud"),
        ("listen = \"everywhere\"\n", "line 1", "address"),
        ("[limits\n", "line 1", ""),
    ] {
        let told = load(text, &[]).unwrap_err().to_string();
        assert!(told.contains(line) && told.contains(word), "{told}");
        assert!(told.contains("gateway.toml"), "{told}");
    }
}

#[test]
fn the_environment_wins_and_text_needs_no_quotes() {
    let config = load(
        "listen = \"127.0.0.1:1\"\n[limits]\nconnections = 5\n",
        &[
            ("PACKMULE_GATEWAY_LISTEN", "127.0.0.1:2"),
            ("PACKMULE_GATEWAY_LIMITS__MAX_MESSAGE", "64kB"),
            ("PACKMULE_GATEWAY_LIMITS__RATE_PER_ADDRESS", "7"),
            ("PACKMULE_GATEWAY_ACCOUNTS__ALLOW", "[\"did:example:a\"]"),
            ("PACKMULE_GATEWAY_TLS__KEY", "k.pem"),
            ("PACKMULE_GATEWAY_TLS__CERTIFICATE", "c.pem"),
            ("PACKMULE_HOME", "elsewhere"),
        ],
    )
    .unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.limits.connections, 5);
    assert_eq!(config.limits.max_message, 64_000);
    assert_eq!(config.limits.rate_per_address, 7);
    assert_eq!(config.accounts.allow, ["did:example:a"]);
    assert!(config.tls.unwrap().key.ends_with("k.pem"));
}

#[test]
fn a_fault_of_the_environment_has_its_name() {
    for (name, text) in [
        ("PACKMULE_GATEWAY_LISTNE", "x"),
        ("PACKMULE_GATEWAY_LIMITS__MAX_MESSAGE", "much"),
        ("PACKMULE_GATEWAY_LIMITS__CONNECTIONS", "many"),
        ("PACKMULE_GATEWAY_DISCOVER", "perhaps"),
    ] {
        let told = load("", &[(name, text)]).unwrap_err().to_string();
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn what_makes_no_sense_together_is_told_by_its_key() {
    for (text, key) in [
        ("public-url = \"kiosk.example.org\"", "public-url"),
        ("public-url = \"https://a.example/?x\"", "public-url"),
        ("links = [\"4460\"]", "links"),
        ("[accounts]\ndeny = [\"alice\"]", "accounts.deny"),
        ("[limits]\nmax-message = 0", "limits.max-message"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[limits]\nburst-per-sender = 0", "limits.burst-per-sender"),
        ("[mailboxes]\nkeep = 0", "mailboxes.keep"),
    ] {
        let told = load(text, &[]).unwrap_err().to_string();
        assert!(told.contains(key), "{told}");
    }
}

#[test]
fn what_is_perhaps_not_meant_is_noted() {
    let noted = |text| load(text, &[]).unwrap().notes().len();
    assert_eq!(noted(""), 1, "it listens on loopback");
    let whole = "listen = \"0.0.0.0:80\"\npublic-url = \"http://k.example/\"\n";
    assert_eq!(noted(whole), 0);
    let closed = format!("{whole}[accounts]\nopen = false\n");
    assert_eq!(noted(&closed), 1);
}

#[test]
fn a_proxy_is_an_address_or_a_network_and_its_lack_is_told() {
    let load = |text: &str| {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("gateway.toml");
        fs::write(&file, text).unwrap();
        Config::load(Some(&file), [])
    };
    let url = "public-url = \"https://kiosk.example/\"\n";
    let noted = |config: &Config| {
        let notes = config.notes();
        notes
            .iter()
            .any(|note| note.to_string().contains("trusted-proxies"))
    };
    assert!(noted(&load(url).unwrap()));
    let trusting = format!("{url}trusted-proxies = [\"127.0.0.1\", \"fd00::/8\"]");
    let config = load(&trusting).unwrap();
    assert!(!noted(&config));
    assert_eq!(config.trusted_proxies.len(), 2);
    let wrong = load("trusted-proxies = [\"10.0.0.0/99\"]").unwrap_err();
    assert!(wrong.to_string().contains("10.0.0.0/99"), "{wrong}");
}

#[test]
fn upstreams_are_read_and_checked_and_each_counts_once() {
    let text = "[[upstream]]\ndid = \"did:example:cloud\"\ncalls = [\"22:00-05:30\"]\n\
                rate = \"20kB\"\nlive = false\npoll = \"5m\"\n\
                [[upstream]]\ndid = \"did:example:second\"\nkind = \"affinidi\"\nrate = 0\n";
    let mut config = load(text, &[]).unwrap();
    config.upstream.push(Upstream::named("did:example:cloud"));
    let plans = config.upstreams().unwrap();
    assert_eq!(
        plans.len(),
        2,
        "what the file says of one that is named again counts"
    );
    assert_eq!(plans[0].calls[0].to_string(), "22:00-05:30");
    assert_eq!((plans[0].rate, plans[0].live), (Some(20_000), false));
    assert_eq!(plans[0].poll.as_secs(), 300);
    assert_eq!(
        (plans[1].kind, plans[1].rate),
        (packmule_uplink::Kind::Affinidi, None)
    );
    let one = (
        "PACKMULE_GATEWAY_UPSTREAM",
        "[{ did = \"did:example:other\", batch = 50 }]",
    );
    let plans = load("", &[one]).unwrap().upstreams().unwrap();
    assert_eq!(
        (plans[0].did.as_str(), plans[0].batch),
        ("did:example:other", 50)
    );
    for (text, key) in [
        ("", "upstream.did"),
        ("did = \"cloud\"", "upstream.did"),
        ("did = \"https://cloud.example/\"", "upstream.did"),
        ("did = \"did:x:y\"\nkind = \"odd\"", "upstream.kind"),
        ("did = \"did:x:y\"\ncalls = [\"noon\"]", "upstream.calls"),
        ("did = \"did:x:y\"\nurl = \"ftp://x\"", "upstream.url"),
        ("did = \"did:x:y\"\nbatch = 0", "upstream.batch"),
        ("did = \"did:x:y\"\npoll = 0", "upstream.poll"),
        ("did = \"did:x:y\"\nretry = 0", "upstream.retry"),
        ("did = \"did:x:y\"\npatience = 0", "upstream.patience"),
        ("did = \"did:x:y\"\nretyr = 0", "retyr"),
    ] {
        let told = load(&format!("[[upstream]]\n{text}\n"), &[]).unwrap_err();
        assert!(told.to_string().contains(key), "{told}");
    }
}
