//! The languages that pages speak.
//!
//! Called by [`super::Pages`] and by the office, for each page that is asked for. What can go
//! wrong: a browser that wants others gets English. Another language is one more file of words.

use packmule_http::hyper::Uri;
use packmule_http::hyper::header::{ACCEPT_LANGUAGE, HeaderMap};

use super::accept::entries;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Spanish,
    French,
}

impl Language {
    pub(crate) const ALL: [Self; 3] = [Self::English, Self::Spanish, Self::French];

    /// Its tag (BCP 47).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::French => "fr",
        }
    }

    /// Its name, in itself.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
            Self::French => "Français",
        }
    }

    /// Its words, as JSON.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::English => include_str!("../../page/words/en.json"),
            Self::Spanish => include_str!("../../page/words/es.json"),
            Self::French => include_str!("../../page/words/fr.json"),
        }
    }

    fn of(tag: &str) -> Option<Self> {
        let main = tag.split('-').next().unwrap_or_default();
        let is = |lang: &Self| lang.tag().eq_ignore_ascii_case(main);
        Self::ALL.into_iter().find(is)
    }

    /// The one that was chosen (`?lang=es`), else the one that the browser would rather have.
    pub(crate) fn asked(uri: &Uri, headers: &HeaderMap) -> Self {
        let mut chosen = uri.query().unwrap_or_default().split('&');
        if let Some(lang) = chosen.find_map(|part| Self::of(part.strip_prefix("lang=")?)) {
            return lang;
        }
        let accept = headers.get(ACCEPT_LANGUAGE);
        let accept = accept.and_then(|value| value.to_str().ok());
        let mut best = (Self::English, 0.0);
        for (tag, quality) in entries(accept.unwrap_or_default()) {
            // Of two that are wanted as much, the first.
            if let Some(lang) = Self::of(tag).filter(|_| quality > best.1) {
                best = (lang, quality);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use packmule_http::hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn what_was_chosen_wins_then_what_the_browser_wants_then_english() {
        for (path, accept, is) in [
            ("/", "", "en"),
            ("/", "de, pl;q=0.8", "en"),
            ("/", "fr-CA, en;q=0.9", "fr"),
            ("/", "en;q=0.2, es-MX;q=0.7, fr;q=0.5", "es"),
            ("/?lang=es", "fr", "es"),
            ("/?a=b&lang=fr", "", "fr"),
            ("/?lang=xx", "es", "es"),
            ("/?lang=%00&lang", "fr", "fr"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(accept));
            let uri = path.parse().unwrap();
            assert_eq!(Language::asked(&uri, &headers).tag(), is, "{path} {accept}");
        }
    }
}
