//! Names for files that strangers sent.

#[cfg(test)]
mod tests;

/// Longest name, in bytes: file systems take 255, of which a saver may need some for a number.
const MAX_NAME: usize = 120;

/// A name under which a stranger's attachment may be saved in a folder: one path component,
/// no control, steering or reserved characters, no leading dot or hyphen, no device name of
/// Windows, at most 120 bytes with its extension kept. `None` when nothing is left of it.
#[must_use]
pub fn safe_filename(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .map(|c| if harmless(c) { c } else { '_' })
        .collect();
    let clean = clean
        .trim_start_matches(['.', ' ', '-'])
        .trim_end_matches(['.', ' ']);
    if !clean.contains(|c| c != '_') {
        return None;
    }
    let device = if is_device(clean) { "_" } else { "" };
    Some(shorten(&format!("{device}{clean}")))
}

fn harmless(c: char) -> bool {
    !(c.is_control()
        || matches!(
            c,
            '<' | '>' | ':' | '"' | '|' | '?' | '*'
            // These make `exe.txt` of `txt.exe`, or lines of one.
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}'
        ))
}

/// `NUL`, `nul.txt`, `COM1 .a`: Windows opens a device, whatever the extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_uppercase();
    let numbered = |device| {
        stem.strip_prefix(device).is_some_and(|number| {
            let mut chars = number.chars();
            let number = chars.next();
            chars.next().is_none()
                && number.is_some_and(|c| c.is_ascii_digit() || "\u{b9}\u{b2}\u{b3}".contains(c))
        })
    };
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&stem.as_str())
        || numbered("COM")
        || numbered("LPT")
}

/// Cuts the middle out, so that the extension stays.
fn shorten(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let dot = name.rfind('.').unwrap_or(name.len());
    let extension = name.get(dot..).filter(|ext| ext.len() <= 16);
    let extension = extension.unwrap_or_default();
    let mut stem = name.to_owned();
    while stem.len() + extension.len() > MAX_NAME {
        stem.pop();
    }
    // What was cut may have uncovered a space or a dot.
    format!("{}{extension}", stem.trim_end_matches(['.', ' ']))
}
