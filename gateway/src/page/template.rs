//! Fills words and facts into a page.
//!
//! Called by [`super::Pages`] once for each page and language. `{{name}}` stands for a word of the
//! language or a fact of the gateway, escaped; `{{words}}` for all words as JSON, for the script.
//! What can go wrong: a name that nobody knows, which the tests look for.

use serde_json::{Map, Value};

use super::{About, Language};

/// The page in this language.
pub(super) fn fill(template: &str, lang: Language, about: &About<'_>) -> String {
    let words: Map<String, Value> = serde_json::from_str(lang.words()).unwrap_or_default();
    let mut page = String::with_capacity(template.len() + 2 * lang.words().len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        match name {
            "lang" => page.push_str(lang.tag()),
            "language-links" => page.push_str(&links(lang)),
            "scan-link" if about.scan => page.push_str(&scan_link(lang, &words)),
            "scan-link" => {}
            "words" => page.push_str(&for_script(&words)),
            "did" => page.push_str(&escaped(about.did)),
            "url" => page.push_str(&escaped(about.url)),
            "invitation-url" => page.push_str(&escaped(about.invitation)),
            "most" => page.push_str(&about.most.to_string()),
            word => page.push_str(&escaped(
                words.get(word).and_then(Value::as_str).unwrap_or(word),
            )),
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// Text as HTML has it, in elements and in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// JSON that ends no script element.
fn for_script(words: &Map<String, Value>) -> String {
    serde_json::to_string(words)
        .unwrap_or_default()
        .replace('<', "\\u003c")
}

fn links(now: Language) -> String {
    let link = |lang: Language| {
        let current = if lang == now {
            " aria-current=\"true\""
        } else {
            ""
        };
        let (tag, name) = (lang.tag(), lang.name());
        format!("<a href=\"?lang={tag}\" lang=\"{tag}\" hreflang=\"{tag}\"{current}>{name}</a>")
    };
    Language::ALL.into_iter().map(link).collect()
}

/// The way to the page that scans, for those who bring no file.
fn scan_link(lang: Language, words: &Map<String, Value>) -> String {
    let text = words.get("scan-way").and_then(Value::as_str);
    let (tag, text) = (lang.tag(), escaped(text.unwrap_or_default()));
    format!("<p><a href=\"scan?lang={tag}\">{text}</a></p>")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn words(lang: Language) -> Map<String, Value> {
        serde_json::from_str(lang.words()).unwrap()
    }

    #[test]
    fn every_language_has_the_same_words_and_the_same_slots_in_them() {
        let english = words(Language::English);
        let slots = |text: &str| -> BTreeSet<String> {
            let parts = text.split('{').skip(1);
            parts
                .filter_map(|part| Some(part.split_once('}')?.0.to_owned()))
                .collect()
        };
        for lang in Language::ALL {
            let others = words(lang);
            let names = |words: &Map<String, Value>| words.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(&others), names(&english), "{lang:?}");
            for (name, text) in &others {
                let (text, in_english) = (text.as_str().unwrap(), english[name].as_str().unwrap());
                assert!(!text.trim().is_empty(), "{lang:?}: {name}");
                assert_eq!(slots(text), slots(in_english), "{lang:?}: {name}");
            }
        }
    }

    #[test]
    fn what_pages_and_scripts_say_has_words() {
        let english = words(Language::English);
        let own = [
            "lang",
            "language-links",
            "scan-link",
            "words",
            "did",
            "url",
            "invitation-url",
            "most",
        ];
        for template in [
            super::super::KIOSK,
            super::super::OPERATOR,
            super::super::SCAN,
        ] {
            for part in template.split("{{").skip(1) {
                let (name, _) = part.split_once("}}").unwrap();
                assert!(own.contains(&name) || english.contains_key(name), "{name}");
            }
        }
        for (path, _, script) in super::super::FILES.iter().chain(super::super::SCAN_FILES) {
            for part in script.split("say(\"").skip(1) {
                let (name, _) = part.split_once('"').unwrap();
                assert!(english.contains_key(name), "{path}: {name}");
            }
        }
    }

    #[test]
    fn words_cannot_end_the_script_that_holds_them() {
        let words = serde_json::from_str("{\"a\":\"</script><b>\"}").unwrap();
        assert!(!for_script(&words).contains('<'));
    }
}
