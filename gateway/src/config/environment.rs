//! The environment over the file.
//!
//! Called by [`super::Config::load`]. What can go wrong: a variable with our prefix that stands
//! for no key, or whose value the key does not take; the fault names it.

use toml::{Table, Value};

use super::{Config, ConfigError};

/// What our variables begin with.
const PREFIX: &str = "PACKMULE_GATEWAY_";

/// Puts each variable of ours in its place, in the order of their names.
pub(super) fn lay_over(
    table: &mut Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let mut ours: Vec<(String, String)> = environment
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    ours.sort();
    for (name, text) in ours {
        let path = name.strip_prefix(PREFIX).unwrap_or_default();
        let path: Vec<String> = path
            .split("__")
            .map(|part| part.to_ascii_lowercase().replace('_', "-"))
            .collect();
        let [section @ .., key] = path.as_slice() else {
            continue;
        };
        let value = fitting(section, key, &text).map_err(|why| ConfigError::Variable {
            name: name.clone(),
            why,
        })?;
        put(table, section, key, value);
    }
    Ok(())
}

/// The value as the key takes it: as in the file, else as a text without quotes.
fn fitting(section: &[String], key: &str, text: &str) -> Result<Value, String> {
    let written = toml::from_str::<Table>(&format!("v = {text}"))
        .ok()
        .and_then(|mut table| table.remove("v"));
    let as_text = Value::String(text.to_owned());
    let mut why = String::new();
    for value in written.into_iter().chain([as_text]) {
        match alone(section, key, &value) {
            Ok(()) => return Ok(value),
            // The last one tells: what was meant as text is told as text.
            Err(fault) => why = fault,
        }
    }
    Err(why)
}

/// Does it make sense where nothing else is said?
fn alone(section: &[String], key: &str, value: &Value) -> Result<(), String> {
    let mut table = Table::new();
    put(&mut table, section, key, value.clone());
    // A certificate and its key make sense together only.
    if section.first().is_some_and(|section| section == "tls") {
        for other in ["certificate", "key"] {
            if other != key {
                put(&mut table, section, other, Value::String("-".to_owned()));
            }
        }
    }
    match table.try_into::<Config>() {
        Ok(_) => Ok(()),
        Err(fault) => Err(fault.message().to_owned()),
    }
}

fn put(table: &mut Table, section: &[String], key: &str, value: Value) {
    let Some((first, rest)) = section.split_first() else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table
        .entry(first.clone())
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        put(inner, rest, key, value);
    }
}
