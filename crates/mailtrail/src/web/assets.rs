//! Files that the binary carries: styles, scripts, an icon. Their URLs change with their content, so that browsers may keep
//! them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;
use super::password::digest_of;

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 4] = [
    Asset { name: "mailtrail.css", kind: "text/css; charset=utf-8", text: include_str!("../../assets/mailtrail.css") },
    Asset {
        name: "mailtrail.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../assets/mailtrail.js"),
    },
    Asset {
        name: "htmx.min.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../assets/htmx.min.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", text: include_str!("../../assets/icon.svg") },
];

/// Where a page finds them.
pub(super) struct Urls {
    pub(super) css: String,
    pub(super) js: String,
    pub(super) htmx: String,
    pub(super) icon: String,
}

pub(super) static URLS: LazyLock<Urls> = LazyLock::new(|| Urls {
    css: url("mailtrail.css"),
    js: url("mailtrail.js"),
    htmx: url("htmx.min.js"),
    icon: url("icon.svg"),
});

fn url(name: &str) -> String {
    let text = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.text);
    let [a, b, c, d, ..] = digest_of(text);
    format!("/assets/{name}?v={a:02x}{b:02x}{c:02x}{d:02x}")
}

pub(super) async fn serve(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        None => Failure::Missing.into_response(),
        Some(asset) => {
            let headers =
                [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, asset.text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vendored {
        file: Vec<File>,
    }

    #[derive(serde::Deserialize)]
    struct File {
        path: String,
        name: String,
        version: String,
        license: String,
        license_file: String,
        source: String,
        sha256: String,
    }

    /// Both lists: what is in the binary, and what tests use.
    #[test]
    fn what_others_wrote_is_what_the_lists_say() {
        let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let ours = ["mailtrail.css", "mailtrail.js", "icon.svg"];
        let mut known: Vec<String> = ours.iter().map(|name| (*name).to_owned()).collect();
        for folder in ["assets", "tests/browser/vendored"] {
            let folder = package.join(folder);
            let list = std::fs::read_to_string(folder.join("vendored.toml")).expect("a list");
            for file in toml::from_str::<Vendored>(&list).expect("a list").file {
                let text = std::fs::read_to_string(folder.join(&file.path)).expect(&file.path);
                let digest: String = digest_of(&text).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(digest, file.sha256, "{}", file.path);
                assert!(text.contains(&file.version), "{} is of another version", file.path);
                let license = std::fs::read_to_string(folder.join(&file.license_file)).expect("a licence");
                assert!(license.len() > 400, "{} is no licence", file.license_file);
                assert!(["0BSD", "MPL-2.0"].contains(&file.license.as_str()), "{}", file.license);
                assert!(file.source.starts_with("https://registry.npmjs.org/") && !file.name.is_empty());
                known.push(file.path);
            }
        }
        for asset in &ASSETS {
            assert!(known.iter().any(|name| name == asset.name), "{} is on no list", asset.name);
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for asset in ASSETS.iter().filter(|asset| asset.name != "htmx.min.js") {
            let text = asset.text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("://") && !text.contains("@import"), "{}", asset.name);
        }
    }
}
