//! The pages that people see: the visitors', that which scans, and the operators', in three languages.
//!
//! What is it: [`Pages`], filled in when the gateway starts; files of `gateway/page`, in the
//! binary. Who calls it: the office, for `GET` of a page or of what belongs to one. What can go
//! wrong: nothing while it runs. A page loads nothing from elsewhere and runs no script but its
//! own, and its headers hold the browser to that. What strangers wrote reaches it as JSON only.

mod accept;
mod language;
mod qr;
mod template;

use packmule_http::hyper::body::Bytes;
use packmule_http::hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use packmule_http::hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};

pub(crate) use accept::wants_page;
pub(crate) use language::Language;

/// Everything from here, nothing inline, no frames, no plug-ins, and no text becomes markup.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
/// The same for the page that scans and for its threads: they run our WebAssembly, start threads
/// with one script, and look at films that their visitor chose.
const SCAN_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types eyes";
/// What is no page is not to be shown as one.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const KIOSK: &str = include_str!("../page/kiosk.html");
const OPERATOR: &str = include_str!("../page/operator.html");
const SCAN: &str = include_str!("../page/scan.html");

/// `transports/qr/page` as WebAssembly, built by its `build.sh`.
const READER: &[u8] = include_bytes!("../page/qr.wasm");

/// What pages load: path, media type, bytes.
const FILES: &[(&str, &str, &str)] = &[
    (
        "/page/style.css",
        "text/css; charset=utf-8",
        include_str!("../page/style.css"),
    ),
    (
        "/page/speech.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/speech.js"),
    ),
    (
        "/page/kiosk.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/kiosk.js"),
    ),
    (
        "/page/drops.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/drops.js"),
    ),
    (
        "/page/operator.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/operator.js"),
    ),
    (
        "/page/icon.svg",
        "image/svg+xml",
        include_str!("../page/icon.svg"),
    ),
];

/// What the page that scans loads besides.
const SCAN_FILES: &[(&str, &str, &str)] = &[
    (
        "/page/scan.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/scan.js"),
    ),
    (
        "/page/qr.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/qr.js"),
    ),
    (
        "/page/eyes.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/eyes.js"),
    ),
];

/// What a page tells of its gateway.
pub(crate) struct About<'a> {
    pub(crate) did: &'a str,
    pub(crate) url: &'a str,
    /// The invitation's URL.
    pub(crate) invitation: &'a str,
    /// The longest message that is taken.
    pub(crate) most: u64,
    /// There is a page that scans.
    pub(crate) scan: bool,
}

/// Everything that is served to browsers.
pub(crate) struct Pages {
    kiosk: Vec<Part>,
    operator: Vec<Part>,
    /// None where the operator wants no such page.
    scan: Vec<Part>,
    files: Vec<(&'static str, Part)>,
}

/// A body, ready to be sent.
struct Part {
    kind: &'static str,
    tag: HeaderValue,
    policy: &'static str,
    body: Bytes,
}

impl Part {
    fn new(kind: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let sum = Sha256::digest(&body);
        let tag: String = sum
            .iter()
            .take(12)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            kind,
            // Hex is always a header's value.
            tag: HeaderValue::from_str(&format!("\"{tag}\""))
                .unwrap_or(HeaderValue::from_static("\"\"")),
            policy: PAGE_POLICY,
            body,
        }
    }

    /// Of the page that scans.
    fn of_scan(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            policy: SCAN_POLICY,
            ..Self::new(kind, body)
        }
    }

    /// To a browser that may have it already.
    fn answer(&self, asked: &HeaderMap) -> Response<Bytes> {
        let has = asked.get(IF_NONE_MATCH).is_some_and(|tag| tag == self.tag);
        let mut response = if has {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            Response::new(self.body.clone())
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(ETAG, self.tag.clone());
        // Asked for again each time, and sent again when it is another.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-language"));
        guard(headers, self.policy);
        response
    }
}

impl Pages {
    /// The pages of this gateway.
    pub(crate) fn new(about: &About<'_>) -> Self {
        let html = "text/html; charset=utf-8";
        let pages = |template, part: fn(&'static str, String) -> Part| {
            let page = |lang: &Language| part(html, template::fill(template, *lang, about));
            Language::ALL.iter().map(page).collect()
        };
        let files = FILES
            .iter()
            .map(|(path, kind, text)| (*path, Part::new(kind, *text)));
        let code = qr::svg(about.invitation).map(|svg| Part::new("image/svg+xml", svg));
        Self {
            kiosk: pages(KIOSK, Part::new),
            operator: pages(OPERATOR, Part::new),
            scan: match about.scan {
                true => pages(SCAN, Part::of_scan),
                false => Vec::new(),
            },
            files: files
                .chain(code.map(|code| ("/page/invitation.svg", code)))
                .chain(scan_files(about.scan))
                .collect(),
        }
    }

    /// The visitors' page, the operators', or what a page loads; none: there is nothing at this path.
    pub(crate) fn at(
        &self,
        path: &str,
        lang: Language,
        asked: &HeaderMap,
    ) -> Option<Response<Bytes>> {
        let part = match path {
            "/" => self.kiosk.get(lang as usize),
            "/operator" => self.operator.get(lang as usize),
            "/scan" => self.scan.get(lang as usize),
            _ => {
                let file = self.files.iter().find(|(name, _)| *name == path);
                file.map(|(_, part)| part)
            }
        };
        part.map(|part| part.answer(asked))
    }
}

/// What belongs to the page that scans, if there is one.
fn scan_files(is: bool) -> impl Iterator<Item = (&'static str, Part)> {
    let scripts = SCAN_FILES
        .iter()
        .map(|(path, kind, text)| (*path, Part::of_scan(kind, *text)));
    let reader = ("/page/qr.wasm", Part::new("application/wasm", READER));
    scripts.chain([reader]).filter(move |_| is)
}

/// Holds a browser to treat what is no page as data.
pub(crate) fn guard_data(headers: &mut HeaderMap) {
    guard(headers, DATA_POLICY);
}

fn guard(headers: &mut HeaderMap, policy: &'static str) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About {
        did: "did:peer:2.<script>",
        url: "http://127.0.0.1:8080/?a=\"b\"&c",
        invitation: "http://127.0.0.1:8080/?_oob=eyJ",
        most: 1000,
        scan: true,
    };

    fn body(response: &Response<Bytes>) -> String {
        String::from_utf8(response.body().to_vec()).unwrap()
    }

    #[test]
    fn a_page_says_everything_in_its_language_and_escapes_what_it_is_told() {
        let pages = Pages::new(&ABOUT);
        for lang in Language::ALL {
            let page = body(&pages.at("/", lang, &HeaderMap::new()).unwrap());
            assert!(page.contains(&format!("<html lang=\"{}\">", lang.tag())));
            assert!(
                !page.contains("{{") && !page.contains("}}"),
                "a slot is left"
            );
            assert!(page.contains("did:peer:2.&lt;script&gt;"));
            assert!(page.contains("?a=&quot;b&quot;&amp;c"));
            assert!(page.contains("data-most=\"1000\""));
        }
    }

    #[test]
    fn what_a_page_loads_is_there_and_nothing_is_inline_or_from_elsewhere() {
        let pages = Pages::new(&ABOUT);
        let asked = HeaderMap::new();
        let page = body(&pages.at("/", Language::English, &asked).unwrap());
        let mut loaded = 0;
        for part in page.split(['"', '\'']) {
            if let Some(name) = part.strip_prefix("page/") {
                loaded += 1;
                let path = format!("/page/{name}");
                assert!(
                    pages.at(&path, Language::English, &asked).is_some(),
                    "{path}"
                );
            }
        }
        assert!(loaded >= 4, "{loaded}");
        for inline in ["style=", "onclick", "onload", "javascript:", "//", "<style"] {
            let outside = page
                .replace(ABOUT.invitation, "")
                .replace("http://127.0.0.1:8080/", "");
            assert!(!outside.contains(inline), "{inline}");
        }
        for (path, _, text) in FILES.iter().chain(SCAN_FILES) {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("http:") && !text.contains("https:"),
                "{path}"
            );
            for markup in [
                "innerHTML",
                "outerHTML",
                "insertAdjacent",
                "document.write",
                "eval(",
            ] {
                assert!(!text.contains(markup), "{path}: {markup}");
            }
        }
    }

    #[test]
    fn a_browser_is_held_to_it_and_does_not_load_twice() {
        let pages = Pages::new(&ABOUT);
        let mut asked = HeaderMap::new();
        let first = pages.at("/", Language::French, &asked).unwrap();
        let policy = first.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
        assert_eq!(first.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        asked.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        let again = pages.at("/", Language::French, &asked).unwrap();
        assert_eq!(
            (again.status(), again.body().len()),
            (StatusCode::NOT_MODIFIED, 0)
        );
        let other = pages.at("/", Language::English, &asked).unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn the_page_that_scans_is_there_where_it_is_wanted() {
        let asked = HeaderMap::new();
        let own = [
            "/scan",
            "/page/scan.js",
            "/page/eyes.js",
            "/page/qr.js",
            "/page/qr.wasm",
        ];
        let (with, without) = (
            Pages::new(&ABOUT),
            Pages::new(&About {
                scan: false,
                ..ABOUT
            }),
        );
        for path in own {
            let page = with.at(path, Language::English, &asked).unwrap();
            let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert_eq!(
                policy.contains("wasm-unsafe-eval"),
                !path.ends_with("wasm"),
                "{path}"
            );
            assert!(!policy.contains("'unsafe"), "{path}");
            assert!(
                without.at(path, Language::English, &asked).is_none(),
                "{path}"
            );
        }
        let kiosk = |pages: &Pages| body(&pages.at("/", Language::French, &asked).unwrap());
        assert!(kiosk(&with).contains("scan?lang=fr"));
        assert!(!kiosk(&without).contains("scan?lang"));
        let page = with.at("/scan", Language::Spanish, &asked).unwrap();
        assert!(!body(&page).contains("{{") && body(&page).contains("data-most=\"1000\""));
    }

    #[test]
    fn the_reader_is_the_one_that_was_built() {
        let told = include_str!("../page/qr.wasm.made");
        let sum: String = Sha256::digest(READER)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert!(
            told.lines().any(|line| line == format!("sha256 {sum}")),
            "gateway/page/qr.wasm has {sum}: transports/qr/page/build.sh makes both"
        );
    }

    #[test]
    fn paths_are_names_and_no_way_to_files() {
        let pages = Pages::new(&ABOUT);
        let asked = HeaderMap::new();
        for path in [
            "/page/",
            "/page/../page/style.css",
            "/page/%2e%2e/style.css",
            "//page/style.css",
            "/page/style.css/",
            "/page/style.css\0",
            "/etc/passwd",
        ] {
            assert!(
                pages.at(path, Language::English, &asked).is_none(),
                "{path}"
            );
        }
    }
}
