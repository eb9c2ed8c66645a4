//! Presets: every file reads, says where its numbers come from, and survives being saved.

use std::time::Duration;

use super::{Channel, FILES, Loss, PresetError};

#[test]
fn every_preset_reads_and_is_saved_without_change() {
    let names = Channel::names();
    assert!(names.len() >= 20, "only {names:?}");
    for name in names {
        let channel = Channel::preset(&name).expect(&name);
        assert_eq!(channel.name, name);
        assert!(!channel.about.is_empty(), "{name} tells people nothing");
        let saved = toml::to_string(&channel).expect("TOML");
        let again: Channel = toml::from_str(&saved).expect(&saved);
        assert_eq!(again, channel);
    }
}

#[test]
fn every_number_tells_its_source() {
    for (name, text) in FILES {
        for line in text.lines() {
            let code = line.split('#').next().unwrap_or_default().trim();
            let is_number = code.contains('=')
                && !code.starts_with("about")
                && !code.ends_with("true")
                && !code.ends_with("false");
            let sourced = ["measured", "published", "assumed", "arithmetic"]
                .iter()
                .any(|word| line.contains(word));
            assert!(
                !is_number || sourced,
                "{name}.toml does not say where this comes from: {line}"
            );
        }
    }
}

#[test]
fn a_plan_starts_from_a_preset_and_changes_what_it_likes() {
    let slow = Channel::parse("like = \"ble-185\"\nname = \"old phone\"\nbytes_per_s = 4000")
        .expect("it reads");
    let preset = Channel::preset("ble-185").expect("there is one");
    assert_eq!((slow.rate, slow.rate_back), (4000, 4000));
    assert_eq!(slow.name, "old phone");
    assert_eq!(slow.latency, preset.latency);
    assert_eq!(slow.mtu, preset.mtu);
}

#[test]
fn what_no_medium_has_is_refused_by_the_name_of_its_key() {
    for (text, key) in [
        ("corrupt = 1.5", "corrupt"),
        ("[loss]\nbad = -0.1", "loss.bad"),
        ("mtu = []", "mtu"),
        ("mtu = [3]", "mtu"),
        ("bytes_per_s = 0", "bytes_per_s"),
        ("latency_ms = -1.0", "latency_ms"),
        ("latency_ms = nan", "latency_ms"),
        ("life_ms = inf", "life_ms"),
    ] {
        let why = Channel::parse(text).expect_err(text);
        assert!(
            matches!(why, PresetError::Number { key: found, .. } if found == key),
            "{text}: {why}"
        );
    }
    assert!(matches!(
        Channel::parse("wings = true"),
        Err(PresetError::Toml(_))
    ));
    assert!(matches!(
        Channel::parse("like = \"pigeon\""),
        Err(PresetError::Unknown { .. })
    ));
}

#[test]
fn the_mtu_follows_its_schedule_and_the_last_one_stays() {
    let channel = Channel::parse("mtu = [23, 185, 517]").expect("it reads");
    let seen: Vec<usize> = (0..5).map(|n| channel.mtu_of(n)).collect();
    assert_eq!(seen, [23, 185, 517, 517, 517]);
    assert_eq!(channel.facts(1).mtu, 185);
}

#[test]
fn the_mean_of_bursts_is_what_long_counting_would_show() {
    let bursts = Loss {
        to_bad: 0.01,
        to_good: 0.09,
        good: 0.0,
        bad: 0.5,
    };
    assert!((bursts.mean() - 0.05).abs() < 1e-12);
    assert!((Loss::even(0.2).mean() - 0.2).abs() < 1e-12);
    assert!(Loss::default().mean().abs() < 1e-12);
}

#[test]
fn bluetooth_is_slow_and_a_stick_goes_one_way() {
    let ble = Channel::preset("ble").expect("there is one");
    assert!(ble.rate < 200_000 && ble.latency >= Duration::from_millis(5));
    assert!(Channel::preset("stick").expect("there is one").one_way);
}
