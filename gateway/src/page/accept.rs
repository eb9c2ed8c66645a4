//! What a browser says it would rather have.
//!
//! Called by [`super::Language`] and by the office. What can go wrong: strangers write the
//! headers; what is no number counts as 1, and what is too much is not looked at.

use packmule_http::hyper::header::{ACCEPT, HeaderMap};

/// Entries of a header that are looked at.
const ENTRIES: usize = 32;

/// Does who asks want a page for people, rather than data for programs? Only who names HTML does:
/// programs say `*/*` or nothing.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let (mut html, mut json) = (0.0_f32, 0.0_f32);
    for (name, quality) in entries(accept.unwrap_or_default()) {
        match name {
            "text/html" | "application/xhtml+xml" => html = html.max(quality),
            "application/json" => json = json.max(quality),
            _ => {}
        }
    }
    html > 0.0 && html >= json
}

/// The entries of such a header, with the quality that each is given.
pub(super) fn entries(header: &str) -> impl Iterator<Item = (&str, f32)> {
    header.split(',').take(ENTRIES).map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        let quality = quality.map_or(1.0, |text| text.parse().unwrap_or(1.0));
        (name, quality)
    })
}

#[cfg(test)]
mod tests {
    use packmule_http::hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn browsers_get_the_page_and_programs_the_data() {
        for (accept, page) in [
            ("", false),
            ("*/*", false),
            ("application/json, text/plain, */*", false),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("application/json, text/html;q=0.5", false),
            ("text/html;q=0", false),
            ("text/html; q=nonsense", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_page(&headers), page, "{accept}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }
}
